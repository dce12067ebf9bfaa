"""The board: a row for each metric on each set of held-out rows, a column for each system."""

from collections.abc import Iterator, Sequence

from pydantic import Field

from finewright.report import cells
from finewright.report.blocks import Block, Page, Table, section, table_of
from finewright.schema.common import Model, Problem
from finewright.schema.evaluate import LOSS_METRICS, Score

_NO_RUN = "none"


class BoardRow(Model):
    """A metric on a set of held-out rows, and the score of each system."""

    task: str
    base_model: str
    data: str
    metric: str
    n: int
    scores: dict[str, Score]


class BoardTraining(Model):
    """A training behind the board: its rows by licence, those under a copyleft licence, its minutes and
    seed. `run` is the run's folder."""

    task: str
    run: str
    base_model: str
    base_license: str
    licenses: dict[str, int]
    copyleft: tuple[str, ...] = Field(
        (), description="Licences of these that ask for the same licence."
    )
    minutes: float
    seed: int
    finished: str


class BoardReport(Model):
    """What each system scored, and what was trained for it. `systems` are the columns in their order, and
    intervals are at level `confidence`."""

    systems: tuple[str, ...]
    rows: tuple[BoardRow, ...]
    trainings: tuple[BoardTraining, ...]
    confidence: float
    problems: tuple[Problem, ...] = ()


def board_page(report: BoardReport) -> Page:
    """The scores, then the trainings."""
    tasks = len({row.task for row in report.rows})
    minutes = sum(each.minutes for each in report.trainings)
    flagged = sorted({name for each in report.trainings for name in each.copyleft})
    return Page(
        subject="a board",
        title=f"{cells.count_of(tasks, 'task')}, {cells.count_of(len(report.trainings), 'training')}",
        answer=_licences_line(flagged, report.trainings),
        about=(
            f"{cells.confidence(report.confidence)}; empty where a system was not measured",
            f"trained for {minutes:.0f} minutes in all",
        ),
        problems=report.problems,
        sections=[
            *section("Scores on held-out rows", *_scores(report)),
            *section("Trainings", _trainings(report)),
        ],
    )


def _licences_line(flagged: Sequence[str], trainings: Sequence[BoardTraining]) -> str:
    if flagged:
        return f"trained on rows under copyleft licences: {', '.join(flagged)}"
    if any("unknown" in each.licenses for each in trainings):
        return "no row under a licence that is known to be copyleft; some rows name no licence"
    return "no training row is under a copyleft licence"


def _scores(report: BoardReport) -> Iterator[Block]:
    models = {row.base_model for row in report.rows}
    header = ["task", *(["base model"] if len(models) > 1 else []), "rows of", "metric", "n"]
    rows = [
        [
            row.task,
            *([row.base_model] if len(models) > 1 else []),
            row.data,
            f"{row.metric} (less is better)" if row.metric in LOSS_METRICS else row.metric,
            str(row.n),
            *(cells.percent(row.scores.get(system)) for system in report.systems),
        ]
        for row in report.rows
    ]
    yield Table((*header, *report.systems), rows)


def _trainings(report: BoardReport) -> Table:
    return table_of(
        report.trainings,
        {
            "task": lambda each: each.task,
            "base model": lambda each: f"{each.base_model} ({each.base_license})",
            "rows by licence": lambda each: cells.list_counts(each.licenses),
            "copyleft": lambda each: ", ".join(each.copyleft) or _NO_RUN,
            "minutes": lambda each: f"{each.minutes:.1f}",
            "seed": lambda each: str(each.seed),
            "finished": lambda each: each.finished,
            "run": lambda each: each.run,
        },
    )
