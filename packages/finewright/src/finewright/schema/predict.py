"""What `finewright predict` writes beside its answers, and what it reports."""

from typing import Any

from pydantic import ConfigDict

from finewright.schema.common import Artifact, Model, Problem
from finewright.schema.evaluate import Draw


class PredictSettings(Model):
    """What the answers of a file are a function of; a second call goes on only where all is the same."""

    finewright: str
    model: str
    model_sha256: str
    rows_sha256: str
    format: str
    columns: dict[str, str]
    encoding: str = ""
    limit: int | None
    seed: int
    max_new_tokens: int
    max_thought_tokens: int | None = None
    batch_size: int
    keep: tuple[str, ...] = ()


class Prediction(Model):
    """A line of the answers: the row of the file by its number, and what the model said.

    `ended` is False where the answer was cut after `max_new_tokens`; `fault` says what of it could not be
    read, `thought_cut` that the thought was closed after `max_thought_tokens`. A line leaves out what is
    empty; beside these it has the columns of the row that were asked for."""

    model_config = ConfigDict(extra="allow")

    file: str
    row: int
    answer: str
    ended: bool
    thoughts: str = ""
    calls: tuple[dict[str, Any], ...] = ()  # Any: a call's arguments are free JSON
    fault: str = ""
    thought_cut: bool = False


class PredictReport(Model):
    """How many rows were answered, in this call and before it, and where the answers are.

    `num_unsure` is of a model that decides: how many of its answers a person should give."""

    model: str
    data: str
    rows: int
    rows_answered_before: int
    num_cut: int
    num_faults: int
    num_thoughts_cut: int = 0
    num_unsure: int | None = None
    max_new_tokens: int
    max_thought_tokens: int | None = None
    out: Artifact
    draw: Draw | None = None
    problems: tuple[Problem, ...] = ()
