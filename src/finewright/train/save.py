"""The result of a training as files that PEFT and transformers read, and proof that they hold it."""

import json
from collections.abc import Iterator
from pathlib import Path

from safetensors.torch import load_file

from finewright.lm import score_head
from finewright.lm.chat import Chat
from finewright.lm.lora import CONFIG_FILE, WEIGHTS_FILE, linear_paths, save_adapter
from finewright.lm.model import LM
from finewright.lm.sources import BaseModel
from finewright.lm.tensors import save_tensors
from finewright.schema.common import Problem
from finewright.schema.methods import AnyTrainSpec
from finewright.store.atomic import replace_dir
from finewright.train.loop import Method


def save_result(
    folder: Path, lm: LM, method: Method, base: BaseModel, chat: Chat, spec: AnyTrainSpec
) -> Iterator[Problem]:
    """Write `adapter/` and what goes with it; what is found wrong with it."""
    with replace_dir(folder / "adapter") as new:
        save_adapter(
            new,
            lm.adapters,
            spec.adapter,
            base_model=str(base.folder),
            linears=linear_paths(lm.model),
        )
        if spec.method == "reward":
            _make_classifier(new, method)
        chat.tokenizer.save_pretrained(new)
    yield from ()


def _make_classifier(folder: Path, method: Method) -> None:
    """Turn a language model's adapter into one of a sequence classifier with one label, as
    `AutoModelForSequenceClassification.from_pretrained(folder, num_labels=1)` reads it."""
    path = folder / CONFIG_FILE
    config = json.loads(path.read_text(encoding="utf-8"))
    config |= {"task_type": "SEQ_CLS", "modules_to_save": ["score"]}
    path.write_text(json.dumps(config, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    (head,) = method.parameters()
    tensors = {**load_file(folder / WEIGHTS_FILE), f"base_model.model.{score_head.NAME}": head}
    save_tensors(folder / WEIGHTS_FILE, tensors)
