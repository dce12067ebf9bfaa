"""What is said of a model's context counts all that training makes the model read."""

import json
from pathlib import Path

import pytest

import tiny
from finewright.schema.adapter import PromptSpec
from finewright.schema.methods import GRPOSpec, KTOSpec, SFTSpec
from finewright.schema.rows import Row
from finewright.schema.train import TrainSettings
from finewright.train.prepared import prepare_rows
from finewright.train.rows import MethodRows

pytestmark = pytest.mark.torch


def judged(question: str, answer: str) -> Row:
    turns = ({"role": "user", "content": question}, {"role": "assistant", "content": answer})
    return Row("", turns, None, "f", 1, label=True)


def prompt(question: str) -> Row:
    return Row("", ({"role": "user", "content": question},), None, "f", 1)


TURNS = [judged("x" * 40, "y"), judged("x", "y" * 40)]


@pytest.mark.parametrize(
    ("spec", "rows", "more"),
    [
        (SFTSpec(), [judged("x", "y")], 0),
        (SFTSpec(adapter=PromptSpec(num_virtual_tokens=7)), [judged("x", "y")], 7),
        (GRPOSpec(rewards=("valid_json",), max_new_tokens=9), [prompt("x" * 40)], 9),
        (KTOSpec(), TURNS, 39),  # the long answer at the long prompt
        (KTOSpec(max_length=10**4), TURNS, 39),
    ],
)
def test_the_longest_that_is_read_is_counted(
    spec: TrainSettings, rows: list[Row], more: int, tmp_path: Path
) -> None:
    chat, base = tiny.tiny_chat(), tiny.base_of(tmp_path)

    def said(positions: int) -> list[str]:
        config = {"model_type": "gpt2", "n_positions": positions}
        (tmp_path / "config.json").write_text(json.dumps(config))
        found = prepare_rows(base, spec, chat, MethodRows(rows, []))
        return [problem.message for problem in found.problems if "embedding for" in problem.message]

    longest = prepare_rows(base, spec, chat, MethodRows(rows, [])).encoded.longest + more
    assert said(longest) == []
    (message,) = said(longest - 1)
    assert message.startswith(f"{longest} tokens")
