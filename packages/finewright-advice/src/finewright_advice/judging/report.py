"""What a judge found, how far it agrees with people, and how both are shown."""

from collections.abc import Iterator
from pathlib import Path

from finewright.report import cells
from finewright.report.blocks import Block, Page, Table, Text, section, table_of
from finewright.schema.common import Artifact, Model, Problem
from finewright.schema.evaluate import Difference, Score
from finewright_advice.judging.marks import SUBSTANTIAL, Agreement


class SystemMarks(Model):
    """The marks of one system's answers, 0 to 1: the judge's mean, and where people marked enough, what they
    would give to all (`corrected`)."""

    judged: Score
    corrected: Score | None = None


class Duels(Model):
    """How often a system's answer was better than the other's to the same question, in both orders of the
    two; `p_value` is of the exact sign test. `turned` are those in which the order changed the verdict,
    which count as ties."""

    system: str
    against: str
    won: int
    lost: int
    tied: int
    turned: int
    p_value: float


class JudgeReport(Model):
    """Marks by a judge, with what they cost and how far people agree; `agreement` is None where no people
    were asked, and `nonsense` are answers of the judge that were no verdict."""

    judge: str
    data: str
    rubric: str
    marks: tuple[SystemMarks, ...] = ()
    differences: tuple[Difference, ...] = ()
    duels: tuple[Duels, ...] = ()
    agreement: Agreement | None = None
    num_marks: int = 0
    num_judged: int
    nonsense: int
    tokens_in: int
    tokens_out: int
    usd: float | None = None
    out: Artifact
    problems: tuple[Problem, ...] = ()


class SheetReport(Model):
    """A sheet of answers for people to mark."""

    out: Path
    rows: int
    marks: str
    problems: tuple[Problem, ...] = ()


def judge_page(report: JudgeReport) -> Page:
    """How far the judge is to be believed, then its marks."""
    cost = f", ${report.usd:.2f} at list prices" if report.usd is not None else ""
    return Page(
        subject="answers judged by a model",
        title=f"{report.judge} on {report.data}",
        answer=_trust(report),
        about=(
            f"rubric: {report.rubric}",
            f"{cells.count_of(report.num_judged, 'verdict')}, {report.tokens_in:,} tokens read and"
            f" {report.tokens_out:,} written{cost}; 95 % intervals",
            f"every verdict: {report.out.path}",
        ),
        problems=report.problems,
        sections=[
            *section("Marks, 0 to 1", *_marks(report)),
            *section("Better answers", *_duels(report)),
            *section("Method", Text(_METHOD), is_for_page=True),
        ],
    )


def sheet_page(report: SheetReport) -> Page:
    """Where it is, and what to do with it."""
    return Page(
        subject="a sheet for people",
        title=str(report.out),
        answer=f"{cells.count_of(report.rows, 'answer')} to mark: {report.marks} in the column `mark`",
        about=("then the same command with --marks in place of --sheet",),
        problems=report.problems,
    )


_METHOD = (
    "Agreement: Cohen's kappa, of marks weighted by the square of their distance, with a bootstrap interval."
    " What people would give: the judge's mean moved by its mean error on the answers that people marked"
    " (prediction-powered inference, Angelopoulos et al. 2023). Two answers are compared in both orders, and"
    " a verdict that changes with the order is a tie. A local judge is asked for the probability of each"
    " verdict (G-Eval, Liu et al. 2023)."
)


def _trust(report: JudgeReport) -> str:
    found = report.agreement
    if found is None:
        if report.num_marks:
            return "how far people agree cannot be told: all marks, or all verdicts, are alike"
        return "not calibrated: nobody has marked these answers, so the judge's marks prove nothing"
    kappa = f"kappa {found.kappa:.2f} ({found.low:.2f} to {found.high:.2f}) with people on {found.n} answers"
    if found.low >= SUBSTANTIAL:
        return f"the judge agrees with people: {kappa}"
    if found.high < SUBSTANTIAL:
        return f"the judge does not agree with people: {kappa}; {SUBSTANTIAL} is substantial"
    return f"whether the judge agrees with people is open: {kappa}; {SUBSTANTIAL} is substantial"


def _marks(report: JudgeReport) -> Iterator[Block]:
    yield table_of(
        report.marks,
        {
            "system": lambda m: m.judged.system,
            "judge's mean": lambda m: cells.percent(m.judged),
            "what people would give": lambda m: cells.percent(m.corrected, "not known"),
            "answers": lambda m: f"{m.judged.n}",
        },
    )
    rows = [
        (f"{d.system} - {d.against}", cells.points(d), cells.p_value(d.p_value))
        for d in report.differences
    ]
    yield Table(("difference", "points", "p"), rows, "The judge's marks of the same questions")


def _duels(report: JudgeReport) -> Iterator[Block]:
    yield table_of(
        report.duels,
        {
            "system": lambda d: d.system,
            "against": lambda d: d.against,
            "better": lambda d: f"{d.won}",
            "worse": lambda d: f"{d.lost}",
            "alike": lambda d: f"{d.tied}",
            "of these, changed with the order": lambda d: f"{d.turned}",
            "p": lambda d: cells.p_value(d.p_value),
        },
    )
