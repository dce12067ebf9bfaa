"""The folder of a result as PEFT and transformers read it."""

from pathlib import Path

import torch
from peft import PeftModel
from torch import Tensor
from training import PROMPTS, Training, outputs
from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification, PreTrainedModel

import referee
from finewright.lm.model import LM
from finewright.lm.score_head import load_head


def assert_peft_reads(folder: Path, training: Training, loaded: LM) -> None:
    """PEFT's model gives our numbers; of a whole model, transformers' does."""
    reward = training.spec.method == "reward"
    model = _read(folder, training, reward)
    head = load_head(folder, loaded.device) if reward else None
    referee.assert_close(_outputs(model, reward), outputs(loaded, head))


def _read(folder: Path, training: Training, reward: bool) -> PreTrainedModel:
    whole = training.spec.adapter.type == "none"
    kind = AutoModelForSequenceClassification if reward else AutoModelForCausalLM
    labels = {"num_labels": 1} if reward and not whole else {}
    model = kind.from_pretrained(folder if whole else training.base.folder, **labels)
    if not whole:
        model = PeftModel.from_pretrained(model, folder)
    return model.eval()


@torch.no_grad()
def _outputs(model: PreTrainedModel, reward: bool) -> Tensor:
    """Each prompt alone, as nothing but the row is asked for."""
    each = []
    for prompt in PROMPTS:
        ids = torch.tensor([prompt])
        logits = model(input_ids=ids, attention_mask=torch.ones_like(ids)).logits[0]
        each.append(logits[-len(prompt) :])
    return torch.cat(each)
