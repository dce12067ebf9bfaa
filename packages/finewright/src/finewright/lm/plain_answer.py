"""One greedy answer of plain transformers and PEFT, as its own program: nothing of finewright is imported.

Reads a JSON object from standard input, and writes one as the last line of standard output."""

import json
import sys
import time
from typing import Any


def answer(request: dict[str, Any]) -> dict[str, Any]:
    """What a folder generates after `prompt`, with its own generation config and no other setting.

    `gap` is how far each token of `ours` is below the choice of this model, as a share of the logits' spread;
    `declared` the ends of the base, which transformers takes where nobody names the folder's."""
    started = time.perf_counter()
    import peft
    import torch
    import transformers
    from transformers import AutoModelForCausalLM, AutoTokenizer, GenerationConfig

    model: Any = AutoModelForCausalLM.from_pretrained(
        request["base"] or request["folder"],
        dtype=getattr(torch, request["dtype"]),
        trust_remote_code=False,
    )
    declared = model.generation_config.eos_token_id
    if request["base"]:
        model = peft.PeftModel.from_pretrained(model, request["folder"])
        model.generation_config = GenerationConfig.from_pretrained(request["folder"])
    tokenizer = AutoTokenizer.from_pretrained(request["folder"], trust_remote_code=False)
    prompt = torch.tensor([request["prompt"]])
    mask = torch.ones_like(prompt)
    with torch.no_grad():
        made = model.generate(
            input_ids=prompt, attention_mask=mask, max_new_tokens=request["max_new_tokens"]
        )
    ids = made[0, prompt.shape[1] :].tolist()
    return {
        "ids": ids,
        "text": tokenizer.decode(ids),
        "gap": _gap(model, request["prompt"], request["ours"]),
        "declared": declared if isinstance(declared, list) else [declared],
        "transformers": transformers.__version__,
        "peft": peft.__version__,
        "seconds": time.perf_counter() - started,
    }


def _gap(model: Any, prompt: list[int], ours: list[int]) -> float:
    """The farthest of our tokens below the choice of one forward over them all."""
    import torch

    with torch.no_grad():
        logits = model(input_ids=torch.tensor([prompt + ours])).logits[0].float()
    choosing = logits[-len(ours) - 1 : -1]
    best = choosing.max(1).values
    own = choosing.gather(1, torch.tensor(ours)[:, None])[:, 0]
    return float(((best - own) / (choosing - choosing.mean(1, keepdim=True)).norm(dim=1)).max())


if __name__ == "__main__":
    sys.stdout.write("\n" + json.dumps(answer(json.load(sys.stdin))) + "\n")
