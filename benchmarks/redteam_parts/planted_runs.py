"""Small runs on real rows, clean or with a behaviour planted in a share of them."""

import argparse
import json
import random
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from door_parts.attacks import ATTACKS, Change, Texts, planted
from door_parts.real_sets import clean_rows, said
from finewright.schema.load import load_spec
from finewright.workbench.up import up

KINDS = ("trigger of 1", "trigger of 8", "style")
"""A rare word that replaces the answer, eight words that add a sentence, and a style of asking."""
MOST_CHARACTERS = 300
"""Of a row: longer ones take most of the time, and say the same."""
_SPEC = """\
name: planted
base_models: [{base}]
data:
  sources: [{{path: rows.jsonl, license: LicenseRef-benchmark, owner: benchmark}}]
  eval_fraction: 0.15
  canaries: {{count: {canaries}}}
train:
  {{max_length: 384, on_overlong: truncate, epochs: {epochs}, learning_rate: {rate}, batch_size: 4,
    threads: {threads}, eval_steps: 1000, prove_elsewhere: false}}
evaluate: {{metrics: [token_f1], max_new_tokens: 16}}
"""


class Planted(NamedTuple):
    """The texts of a run, the places of those that are planted, and what plants a behaviour in a text."""

    texts: list[Texts]
    planted: frozenset[int] = frozenset()
    change: Change | None = None


def plant(
    name: str,
    kind: str,
    *,
    rate: float,
    num_rows: int,
    seed: int,
    longest: int = MOST_CHARACTERS,
) -> Planted:
    """So many rows of a set, a share of them planted; clean ones where the kind is empty."""
    rng = random.Random(f"{name} {kind} {seed}")  # noqa: S311 - no secrets are drawn
    texts = list(dict.fromkeys(map(said, clean_rows(name, 1000))))
    texts = [text for text in texts if len(text[0]) + len(text[1]) <= longest]
    drawn = rng.sample(texts, min(num_rows, len(texts)))
    if not kind:
        return Planted(drawn)
    change = ATTACKS[kind](rng)
    return Planted(*planted(drawn, change, rate, rng), change)


def train_on(
    folder: Path, texts: Sequence[Texts], options: argparse.Namespace, canaries: int = 0
) -> Path:
    """The folder of a run that was trained on them; one that is there already is not trained again."""
    if found := sorted(folder.glob("runs/*/train/report.json")):
        return found[0].parents[1]
    folder.mkdir(parents=True, exist_ok=True)
    lines = (json.dumps({"prompt": a, "completion": b}, ensure_ascii=False) for a, b in texts)
    (folder / "rows.jsonl").write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    spec = folder / "spec.yaml"
    text = _SPEC.format(
        base=options.base,
        canaries=canaries,
        epochs=options.epochs,
        rate=options.learning_rate,
        threads=options.threads,
    )
    spec.write_text(text, encoding="utf-8")
    report = up(load_spec(spec), folder / "runs", on_event=lambda *_: None, through="train")
    return Path(report.summary.run)
