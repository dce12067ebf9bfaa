"""Metrics that are functions of the user's own: `evaluate.metrics: ["python:FILE:FUNCTION"]`.

They score an answer while its row is at hand, in this process, by the same loader and consent as rewards."""

from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from finewright.errors import FinewrightError, SpecError, StageError
from finewright.judge.answer import Answer, answer_of, text_to_compare
from finewright.judge.calls import AnswerScorer, Due
from finewright.judge.user_function import (
    Resolve,
    UserFunction,
    check_user_function,
    read_user_function,
)
from finewright.schema.common import Problem
from finewright.schema.evaluate import EvaluateSpec, OwnMetric
from finewright.schema.rewards import CALLS_COLUMN
from finewright.schema.rows import Row

OwnMetrics = Mapping[str, UserFunction]
"""The functions by the names of their metrics."""


def _refuse(_answer: Answer, _due: Due) -> None:
    what = "the function of an own metric scores an answer with its row, which is gone"
    raise StageError(what, hint="measure it by `up` or `evaluate`")


WITHOUT_ROW = AnswerScorer(_refuse)
"""An own metric where the row is not at hand: what was not scored before cannot be."""


def read_own_metrics(spec: EvaluateSpec, resolve: Resolve) -> dict[str, UserFunction]:
    """The functions of the spec, ready to score; their files are run. Raises SpecError."""
    return {
        own.function: read_user_function(
            own.argument, resolve, consent=own.consent, what="score in [0, 1]"
        )
        for own in spec.own_metrics
    }


def check_own_metrics(spec: EvaluateSpec, resolve: Resolve) -> list[Problem]:
    """All that can be said against the spec's own metrics without running them."""
    problems = []
    for i, metric in enumerate(spec.metrics):
        if isinstance(metric, OwnMetric):
            try:
                check_user_function(metric.argument, resolve, consent=metric.consent)
            except FinewrightError as error:
                key = f"evaluate.metrics.{i}"
                problems.append(
                    Problem(level="error", key=key, message=str(error), hint=error.hint)
                )
    return problems


def score_by_own(own: OwnMetrics, answer: str, row: Row) -> dict[str, float]:
    """What each function gives for an answer to the row.

    The function gets the row's columns with `messages`, all that comes before the answer, and the expected
    `answer` and `tool_calls`, as rewards do. Raises StageError, which names the row."""
    scores = {}
    for name, function in own.items():
        where = f"{row.file}:{row.row}: {name}"
        try:
            value = function(answer, _columns_of(row))
        except StageError as error:
            raise StageError(f"{where}: {error}", hint=error.hint) from None
        if not 0.0 <= value <= 1.0:
            raise StageError(
                f"{where}: gave {value:g} for the answer {answer[:60]!r}",
                hint="a score is in [0, 1]: divide it by the most that it can be",
            )
        scores[name] = value
    return scores


def _columns_of(row: Row) -> dict[str, Any]:  # Any: columns are JSON
    due = answer_of(row.answer) if row.answer else None
    calls = [{"name": call.name, "arguments": call.arguments} for call in due.calls] if due else []
    expected = {"answer": text_to_compare(due, due) if due else "", CALLS_COLUMN: calls}
    before = [dict(message) for message in row.messages[: row.answer_at]]
    return {**{k: v for k, v in expected.items() if v}, **row.columns, "messages": before}


def name_code(own: OwnMetrics) -> list[Problem]:
    """What scored, by its digest, for the report."""
    return [
        Problem(level="info", message=f"{name} is measured by code of sha256:{function.sha256}")
        for name, function in own.items()
    ]


def changed_metrics(spec: EvaluateSpec, root: Path) -> list[Problem]:
    """A warning for each own metric of a run whose file is no longer what scored it, or is gone."""
    problems = []
    for own in spec.own_metrics:
        path = root / own.file
        recorded = own.consent.removeprefix("sha256:")
        found = sha256(path.read_bytes()).hexdigest() if path.is_file() else "nothing"
        if found != recorded:
            problems.append(
                Problem(
                    level="warning",
                    file=str(path),
                    message=f"{own.function} was measured by sha256:{recorded}, and there is {found} now",
                    hint="its scores are those of the code that was there; put it back to measure the same",
                )
            )
    return problems


def own_metric_of(function: str) -> OwnMetric:
    """`python:FILE:FUNCTION` as somebody typed it, with the digest of the file as it is.

    The user's own trust is still asked for. Raises SpecError for a file that cannot be read."""
    try:
        own = OwnMetric(function=function)
        content = Path(own.file).read_bytes()
    except ValidationError:
        raise SpecError(f"{function}: write it as python:FILE:FUNCTION") from None
    except OSError as error:
        raise SpecError(f"{own.file}: {error.strerror or error}") from None
    return own.model_copy(update={"consent": f"sha256:{sha256(content).hexdigest()}"})
