"""What a search of training settings found: every trial, the best one, and what it gains on held-out rows."""

from typing import Literal

from finewright.schema.common import Model, Problem
from finewright.schema.evaluate import Difference, Score

Choice = bool | int | float | str


class Trial(Model):
    """One run of the search. `score` is on the development rows, None where it did not get there."""

    number: int
    values: dict[str, Choice]
    run: str
    state: Literal["finished", "stopped early", "failed"]
    score: Score | None
    loss: float | None
    train_seconds: float | None
    why: str = ""


class TuneReport(Model):
    """All trials, and the best beside the settings as written on rows that chose nothing.

    Trial 0 has the settings as written. `difference` is best minus written, None where these are the best;
    `written_to` is a spec with the best settings."""

    name: str
    folder: str
    base_model: str
    metric: str
    confidence: float
    rows_train: int
    rows_development: int
    rows_held_out: int
    trials: tuple[Trial, ...]
    best: int
    held_out: tuple[Score, ...]
    difference: Difference | None
    verdict: str
    written_to: str
    problems: tuple[Problem, ...] = ()
