"""Does the place where LoRA's delta is added matter in bfloat16? One run per seed, arm and model.

    python benchmarks/delta_rounding.py --model smollm2-135m-instruct --seeds 0,1,2 --steps 200

Three arms train the same rows in the same order from the same adapter:
  fp32       everything in float32: the curve that bf16 should follow
  after      bf16, y = round(x W) + s (x A) B, the usual way
  inside     bf16, one GEMM over [x, x A] and [W, s B]: one rounding, finewright's way
Printed for each: held-out loss, the share of answers whose JSON is exact, and the mean distance of the
step losses from fp32's. The data are the erc7730 set's."""

import argparse
import json
import statistics
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import torch

from finewright.data.gather import read_row_set
from finewright.data.sets.build import build_set
from finewright.evaluate.answers import answer_all, question_of
from finewright.evaluate.scorers import exact_match
from finewright.lm.adapters.lora import add_lora
from finewright.lm.encode import encode_rows
from finewright.lm.fast import linear, mlp
from finewright.lm.fast.linear import Gradients, Lora, lora_backward, lora_forward, whole
from finewright.lm.load import load_model
from finewright.lm.load_chat import load_chat
from finewright.lm.model import LM
from finewright.lm.sources import LocalBase, locate
from finewright.report.text import table
from finewright.schema.adapter import LoraSpec
from finewright.schema.methods import SFTSpec
from finewright.schema.rows import Row
from finewright.train.loop import held_out_loss, train
from finewright.train.methods.setup import Setup
from finewright.train.methods.sft import SFT
from finewright.train.schedule import schedule_of
from finewright.train.state import make_optimizer

ARMS: dict[str, Literal["bf16", "fp32"]] = {"fp32": "fp32", "after": "bf16", "inside": "bf16"}
INSIDE = lora_forward, lora_backward


def after_forward(x: torch.Tensor, lora: Lora) -> tuple[torch.Tensor, torch.Tensor]:
    """x W^T + b is rounded, and then the delta is added."""
    width = x.shape[1]
    low = x @ lora.a.t()
    weight = whole(lora.weight)
    base = torch.nn.functional.linear(x, weight[:, :width], lora.bias)
    return base.addmm_(low, weight[:, width:].t()), low


def after_backward(
    dy: torch.Tensor, x: torch.Tensor, low: torch.Tensor, lora: Lora, *, need_x: bool = True
) -> Gradients:
    """The gradients of after_forward, as PEFT's autograd takes them."""
    width = x.shape[1]
    weight = whole(lora.weight)
    d_low = dy @ weight[:, width:]
    dx = torch.mm(dy, weight[:, :width]).addmm_(d_low, lora.a) if need_x else None
    return Gradients(dx, (d_low.t() @ x).float(), (dy.t() @ low).float().mul_(lora.scale))


def main() -> None:
    options = parse()
    torch.set_num_threads(options.threads)
    base = locate(options.model, Path.cwd())
    with tempfile.TemporaryDirectory() as folder:
        build_set("erc7730", Path(folder) / "set")
        train_rows = read_row_set(Path(folder) / "set" / "train.jsonl", None).rows
        test_rows = read_row_set(Path(folder) / "set" / "test_seen.jsonl", None).rows
    results = []
    for seed in map(int, options.seeds.split(",")):
        for arm in ARMS:
            figures = run(base, arm, seed, options.steps, (train_rows, test_rows))
            results.append({"model": options.model, "arm": arm, "seed": seed, **figures})
            print(json.dumps({**results[-1], "losses": None}), file=sys.stderr, flush=True)
            if options.json:
                options.json.write_text(json.dumps(results), encoding="utf-8")
    print(report(results))


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="smollm2-135m-instruct")
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--json", type=Path, help="also write every figure here")
    return parser.parse_args()


def run(
    base: LocalBase, arm: str, seed: int, steps: int, sets: tuple[Sequence[Row], Sequence[Row]]
) -> dict[str, Any]:
    chat = load_chat(base)
    forward, backward = (after_forward, after_backward) if arm == "after" else INSIDE
    for module in (linear, mlp):
        vars(module).update(lora_forward=forward, lora_backward=backward)
    rows, held_out = (
        encode_rows(chat, part, max_length=1024, on_overlong="drop").rows for part in sets
    )
    model = load_model(base, dtype=ARMS[arm])
    lm = LM(model, add_lora(model, LoraSpec(), seed=seed))
    spec = SFTSpec(learning_rate=1e-3, batch_size=2, max_steps=steps, seed=seed)
    method = SFT(spec, Setup(lm))
    schedule = schedule_of(spec, [row.num_tokens for row in rows])
    optimizer = make_optimizer(lm, method, weight_decay=0.0)
    losses = [step.loss for step in train(lm, method, rows, schedule, optimizer)]
    loss, _ = held_out_loss(lm, method, held_out, batch_size=8, max_tokens=None)
    questions = [question_of(chat, row) for row in sets[1]]
    answers = dict(answer_all(lm, chat, questions, max_new_tokens=128, batch_size=32))
    hits = [exact_match(answers[i].answer.content, q.expected) for i, q in enumerate(questions)]
    return {"held_out_loss": loss, "exact": statistics.fmean(hits), "losses": losses}


def report(results: list[dict[str, Any]]) -> str:
    truth = {r["seed"]: r["losses"] for r in results if r["arm"] == "fp32"}
    lines = []
    for arm in ARMS:
        runs = [r for r in results if r["arm"] == arm]
        away = [
            statistics.fmean(abs(a - b) for a, b in zip(r["losses"], truth[r["seed"]], strict=True))
            for r in runs
        ]
        held_out = [r["held_out_loss"] for r in runs]
        exact = [r["exact"] for r in runs]
        lines.append([arm, spread(held_out, 4), spread(exact, 3), spread(away, 4)])
    return table(["arm", "held-out loss", "exact", "step losses from fp32"], lines)


def spread(values: list[float], digits: int) -> str:
    listed = " ".join(f"{value:.{digits}f}" for value in values)
    return f"{statistics.fmean(values):.{digits}f} ({listed})"


if __name__ == "__main__":
    main()
