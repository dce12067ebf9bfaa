"""`up` says before the first step how long training and measuring will take, as far as anybody knows."""

from pathlib import Path

import pytest

from .conftest import Finewright
from .processes import events

pytestmark = pytest.mark.torch


def test_answers_are_timed_where_no_past_run_tells_and_the_past_tells_the_next(
    project: Path, runs: Path, finewright: Finewright
) -> None:
    first = finewright("up", "spec.yaml")
    (said,) = events(runs, "duration")
    assert "training" not in said
    assert 0 < said["measuring"][0] < said["measuring"][1] < 600
    assert "4 rows x 2 systems, by answers that were timed" in first.err
    assert "(4 rows x 2 systems" in first.err[: first.err.index("train: started")]

    again = finewright("up", "spec.yaml")
    assert "measuring takes" not in again.err  # nothing is ahead

    other = finewright("up", "spec.yaml", "--set", "train.seed=1")
    assert "timing answers" not in other.err
    assert "training takes " in other.err
    assert "measuring takes " in other.err
    assert "-tiny-" in other.err[other.err.index("measuring takes ") :].split("took)")[0]


def test_minutes_bound_the_training_and_train_says_nothing_of_measuring(
    project: Path, runs: Path, finewright: Finewright
) -> None:
    finewright("train", "spec.yaml", "--set", "train.minutes=9")
    (said,) = events(runs, "duration")
    assert (said["training"], "measuring" in said) == ([0.0, 540.0], False)
