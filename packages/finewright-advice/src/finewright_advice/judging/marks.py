"""Marks by people: the sheet that they fill, how far a judge agrees with them, and what follows for its mean.

Agreement is Cohen's kappa (1960), of marks with the squares of their distances as weights (Cohen 1968). The
corrected mean is prediction-powered inference (Angelopoulos et al. 2023): the judge's mean over all answers,
moved by its mean error on those that people marked."""

import csv
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from finewright.errors import DataError
from finewright.judge.statistics import Interval, bootstrap_statistic
from finewright.store.atomic import os_errors
from finewright_advice.judging.tasks import LOST, MARKS, SIDES, TIE, WON, Task

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

HEADER = ("id", "question", "expected", "answer_a", "answer_b", "mark")
LEAST_MARKS = 30
"""The fewest answers for which a mean and an error are given a normal interval."""
SUBSTANTIAL = 0.6
"""Kappa from which Landis & Koch (1977) call agreement substantial."""


class Agreement(NamedTuple):
    """Cohen's kappa of a judge and people, with its interval; `same` is the share of equal marks."""

    n: int
    same: float
    kappa: float
    low: float
    high: float


def write_sheet(tasks: Sequence[Task], path: Path) -> None:
    """A CSV file of the answers without their systems, in an order that tells none, with room for marks."""
    with os_errors(path), path.open("x", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(HEADER)
        for task in sorted(tasks, key=lambda task: task.id):
            answers = [task.sample.answer, task.other.answer if task.other else ""]
            shown = answers[::-1] if task.other and task.turned else answers
            cells = (task.id, task.sample.prompt, task.sample.expected, *shown, "")
            writer.writerow([_plain(cell) for cell in cells])


def _plain(cell: str) -> str:
    """The text so that a spreadsheet shows it and computes nothing."""
    return f"'{cell}" if cell[:1] in tuple("=+-@\t\r") else cell


def read_marks(path: Path, tasks: Sequence[Task]) -> dict[str, str]:
    """What people said of the tasks, by id: a mark of MARKS, or WON, LOST or TIE. Cells left empty are none.

    Raises DataError for a file that is no sheet, a mark that is none, and marks of none of the tasks."""
    known, found = {task.id: task for task in tasks}, dict[str, str]()
    with os_errors(path), path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file)
        if not {"id", "mark"} <= set(reader.fieldnames or ()):
            raise DataError(
                f"{path}: no column `id` and `mark`", hint="`finewright judge --sheet` makes one"
            )
        for row in reader:
            task, mark = known.get(row["id"] or ""), (row["mark"] or "").strip()
            if task is None or not mark:
                continue
            found[task.id] = _read_mark(mark, task, f"{path}:{reader.line_num}")
    if not found:
        raise DataError(
            f"{path}: marks none of the answers that are judged",
            hint="judge with the systems, set, limit and seed that the sheet was made with",
        )
    return found


def _read_mark(mark: str, task: Task, where: str) -> str:
    options = {option.casefold(): option for option in (SIDES if task.other else MARKS)}
    option = options.get(mark.casefold())
    if option is None:
        raise DataError(
            f"{where}: {mark!r} is no mark", hint=f"one of {', '.join(options.values())}"
        )
    return side_won(option, turned=task.turned) if task.other else option


def side_won(option: str, *, turned: bool) -> str:
    """How the first answer did where A, B or neither was better; `turned` had shown the other as A."""
    if option == "tie":
        return TIE
    return WON if (option == "A") != turned else LOST


def agreement_of(
    judged: Mapping[str, str], marks: Mapping[str, str], *, seed: int
) -> Agreement | None:
    """How far verdicts and marks of the same tasks agree; None where either has one value alone."""
    import numpy as np

    both = [(judged[id_], mark) for id_, mark in marks.items() if id_ in judged]
    if not both:
        return None
    order = MARKS if both[0][1] in MARKS else (LOST, TIE, WON)
    ours, theirs = (np.array([order.index(pair[side]) for pair in both]) for side in (0, 1))
    weights = _disagreement(len(order), is_ordered=order is MARKS)
    kappa = _kappa(ours, theirs, weights)
    if math.isnan(kappa):
        return None

    def of_rows(rows: "NDArray[np.intp]") -> float:
        drawn = _kappa(ours[rows], theirs[rows], weights)
        return kappa if math.isnan(drawn) else drawn

    ends = bootstrap_statistic(len(both), of_rows, confidence=0.95, resamples=2000, seed=seed)
    return Agreement(len(both), float((ours == theirs).mean()), kappa, ends.low, ends.high)


def _disagreement(k: int, *, is_ordered: bool) -> "NDArray[np.float64]":
    import numpy as np

    places = np.arange(k)
    distance = (places[:, None] - places[None, :]) ** 2
    return (distance if is_ordered else distance > 0).astype(np.float64)


def _kappa(
    ours: "NDArray[np.intp]", theirs: "NDArray[np.intp]", weights: "NDArray[np.float64]"
) -> float:
    """1 - sum(w * observed) / sum(w * expected); nan where chance alone would agree wholly."""
    import numpy as np

    k = len(weights)
    observed = np.bincount(ours * k + theirs, minlength=k * k).reshape(k, k) / len(ours)
    expected = np.outer(observed.sum(1), observed.sum(0))
    by_chance = float((weights * expected).sum())
    return 1 - float((weights * observed).sum()) / by_chance if by_chance else math.nan


def corrected_mean(
    judged: Mapping[str, float], marks: Mapping[str, float]
) -> tuple[float, Interval] | None:
    """The mean that people would give to all answers, with its 95 % interval; None for too few marks.

    mean(judged) + mean(mark - judged); its variance is var(judged)/N + var(mark - judged)/n."""
    import numpy as np

    errors = np.array([marks[id_] - judged[id_] for id_ in marks if id_ in judged])
    if len(errors) < LEAST_MARKS:
        return None
    all_judged = np.array(list(judged.values()))
    mean = float(all_judged.mean() + errors.mean())
    variance = all_judged.var(ddof=1) / len(all_judged) + errors.var(ddof=1) / len(errors)
    half = 1.959964 * math.sqrt(variance)  # the 97.5 % quantile of the normal distribution
    return mean, Interval(max(0.0, mean - half), min(1.0, mean + half))
