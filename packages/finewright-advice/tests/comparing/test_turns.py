"""Requests are timed in turns, there and back, and none a second time."""

from pathlib import Path

import pytest

import tiny
from finewright.compare.local import LoadedModel, LocalModel
from finewright.lm.model import LM
from finewright.schema.rows import Row
from finewright.store.answers import AnswersLog
from finewright_advice.compare.latency import Timing
from finewright_advice.compare.turns import TimedAnswer, cores_others_used, time_in_turns

pytestmark = pytest.mark.torch


def asked(number: int) -> Row:
    turns = (
        {"role": "user", "content": f"Q{number}"},
        {"role": "assistant", "content": "A"},
    )
    return Row(f"{number}", turns, None, "f", number)


ROWS = [asked(i) for i in range(1, 6)]


def test_who_is_timed_when_and_only_what_was_not(tmp_path: Path) -> None:
    model = LoadedModel("it", LM(tiny.tiny_model("llama"), {}), tiny.tiny_chat())
    systems = [LocalModel(name, name, lambda: model) for name in ("a", "b")]
    turns: list[tuple[str, int]] = []

    def timed(rows: list[Row], stop_at: int = 99) -> dict[str, list[TimedAnswer]]:
        def watch(name: str, done: int, total: int) -> None:
            assert total == len(rows)
            turns.append((name, done))
            if len(turns) == stop_at:
                raise KeyboardInterrupt

        log = AnswersLog(tmp_path / "times.jsonl", TimedAnswer)
        return time_in_turns(systems, rows, 4, log, watch)

    with pytest.raises(KeyboardInterrupt):
        timed(ROWS, stop_at=3)
    found = timed(ROWS)
    assert turns == [("a", 2), ("b", 2), ("b", 4), ("a", 4), ("a", 5), ("b", 5)]
    assert {name: len(each) for name, each in found.items()} == {"a": 5, "b": 5}
    assert all(0 <= t.timing.prepared <= t.timing.first_token for t in found["a"])
    turns.clear()
    assert timed(ROWS) == found
    assert timed(ROWS[:2]) == {name: each[:2] for name, each in found.items()}
    assert turns == []


def test_the_cores_of_others_are_weighted_by_time() -> None:
    pairs = ((100.0, 2.0), (300.0, 0.0))
    found = [
        TimedAnswer(timing=Timing(0, 1, whole, 1), cores_others_used=cores)
        for whole, cores in pairs
    ]
    assert cores_others_used(found) == 0.5
