"""What a past run tells of how long measuring takes: all its answers, and all its attempts."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from by_hand import NOW, candidate_of, spec_of
from finewright import __version__
from finewright.schema.evaluate import AnswerCounts, EvaluateReport
from finewright.schema.lock import Lock
from finewright.schema.methods import SFTSpec
from finewright.schema.rows import Row, write_rows
from finewright.schema.train import TrainReport
from finewright.store.rundir import RunDir
from finewright.store.runs import create_run
from finewright.store.speclock import lock_text
from finewright.workbench.duration import say_how_long

pytestmark = pytest.mark.torch

START, END = ("09:00:00", "stage_started"), ("09:10:00", "stage_ended")


def lock_for(names: Sequence[str]) -> Lock:
    spec = spec_of(base_models=names, evaluate={"compare_with": ["base"]})
    settings = {name: SFTSpec(dtype="fp32") for name in names}
    return Lock(
        finewright=__version__,
        code_sha256="0" * 64,
        root="/",
        spec=spec,
        candidates=settings,
        reasons={},
        inputs={},
    )


def run_of(root: Path, lock: Lock, key: str) -> RunDir:
    """A run with 2 rows to measure on."""
    made = create_run(root, lock.spec.name, key, "", lock_text(lock), NOW)
    turns = ({"role": "user", "content": "Q"}, {"role": "assistant", "content": "A"})
    (made.root / "data/evaluate").mkdir(parents=True)
    rows = [Row(str(i), turns, None, "t", i) for i in range(2)]
    (made.root / "data/evaluate/t.jsonl").write_text(write_rows(rows))
    return made


def measured_run(root: Path, names: Sequence[str], events: Sequence[tuple[str, ...]]) -> Lock:
    """A run in which base and tuned of each candidate answered 2 rows."""
    lock = lock_for(names)
    past = run_of(root, lock, "a" * 64)
    past.write_report("train", TrainReport(candidates=tuple(map(candidate_of, names))))
    systems = [f"{name} {system}" for name in names for system in ("base", "tuned")]
    answers = tuple(
        AnswerCounts(
            system=system,
            data="t",
            n=2,
            ended=2,
            thinking=0,
            thought_tokens_mean=0,
            thought_share=0,
            calls=0,
            undeclared_calls=0,
            faults=0,
        )
        for system in systems
    )
    past.write_report("evaluate", EvaluateReport(confidence=0.95, scores=(), answers=answers))
    lines = [
        {
            "time": f"2026-11-25T{time}+00:00",
            "type": kind,
            "stage": "evaluate",
            "key": (*rest, "k")[0],
        }
        for time, kind, *rest in events
    ]
    past.events.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    return lock


def seconds_ahead(root: Path, lock: Lock) -> float:
    """The middle of the range that the next run of the lock hears, without its factors."""
    heard: dict[str, Any] = {}
    say_how_long(
        run_of(root, lock, "b" * 64),
        lock,
        lambda _, **fields: heard.update(fields),
        ahead=["evaluate"],
    )
    assert heard["basis"].startswith("as 2026-11-25-")
    low, high = heard["measuring"]
    assert high / low == pytest.approx(1.4 / 0.8)
    return float(low / 0.8)


@pytest.mark.parametrize("names", [("m",), ("m", "n"), ("m", "n", "o")])
def test_the_same_rows_and_models_take_as_long_again(tmp_path: Path, names: Sequence[str]) -> None:
    lock = measured_run(tmp_path, names, [START, END])
    assert seconds_ahead(tmp_path, lock) == pytest.approx(600)


CUT = [("07:00:00", "stage_started"), ("08:30:00", "progress")]


@pytest.mark.parametrize(
    ("events", "minutes"),
    [
        ([*CUT, START, END], 100),
        ([*CUT, ("08:31:00", "run_interrupted"), START, END], 101),
        ([*CUT, ("08:31:00", "stage_failed"), ("08:59:00", "run_interrupted"), START, END], 101),
        ([*CUT, ("08:31:00", "stage_ended"), START, END], 10),
        ([(*CUT[0], "other"), CUT[1], START, END], 10),
        ([(*CUT[0], "other"), CUT[1], ("08:31:00", "stage_started"), START, END], 10),
    ],
)
def test_an_attempt_that_was_cut_counts_for_the_answers_that_it_left(
    tmp_path: Path, events: Sequence[tuple[str, ...]], minutes: int
) -> None:
    lock = measured_run(tmp_path, ["m"], events)
    assert seconds_ahead(tmp_path, lock) == pytest.approx(60 * minutes)
