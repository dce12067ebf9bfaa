"""The pace of answers is told by a batch that is timed, as far as its answers were seen to go."""

from itertools import count
from pathlib import Path

import pytest

from finewright.schema.rows import Row

pytestmark = pytest.mark.torch


def rows(number: int) -> list[Row]:
    said = [("user", "the red"), ("assistant", "blue and green")]
    messages = tuple({"role": role, "content": text} for role, text in said)
    return [Row(str(i), messages, None, "rows.jsonl", i) for i in range(number)]


@pytest.mark.parametrize(
    ("seconds", "batch", "longest"),
    [(100.0, 8, 16), (3.0, 8, 4), (0.5, 2, 4)],
    ids=["enough time", "time for the first tokens", "time for few rows"],
)
def test_answers_are_followed_as_far_as_there_is_time(
    tiny_folder: Path, seconds: float, batch: int, longest: int
) -> None:
    from finewright.evaluate.pace import answer_pace
    from finewright.workbench.systems import load_system

    system = load_system(str(tiny_folder))
    tokenizer = system.chat.tokenizer
    ticks = count()
    found = answer_pace(
        system.lm,
        system.chat,  # whose model is not trained, and ends no answer
        rows(50),
        max_new_tokens=16,
        batch_size=8,
        seconds=seconds,
        clock=lambda: float(next(ticks)),  # every call takes a second
    )
    assert (found.batch, found.longest, found.has_ended) == (batch, longest, False)
    assert found.expected == len(tokenizer("blue and green")["input_ids"]) + 1
    assert (found.prompts, found.token) == (1.0, 0.0)
    assert found.seconds(10 * batch, 16) == 10.0
