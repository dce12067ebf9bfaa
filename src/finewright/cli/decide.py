"""`decide` on the terminal: its questions, and its experiment."""

import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from finewright.errors import DataError, SpecError
from finewright.features.decide.questions import QUESTIONS, Question
from finewright.features.decide.run import ask
from finewright.workbench.pages import check_page

if TYPE_CHECKING:
    from finewright.schema.measure_report import MeasureReport

ASKED = Path("decide.yaml")


def check_places(spec: Path | None, html: Path | None, prices: Path | None) -> None:
    """Raise DataError, before anything is asked or run, where the page or the prices have no place."""
    check_page(html, [spec or ASKED])
    if prices is not None and not prices.is_dir():
        what = "is a file" if prices.exists() else "no such folder"
        hint = "--prices takes the folder that your *.yaml files of prices lie in"
        raise DataError(f"--prices {prices}: {what}", hint=hint)


def path_of(spec: Path | None) -> Path:
    """The spec, or the one that the answers of whoever sits here make."""
    if spec is not None:
        return spec
    sys.stderr.write(f"A few questions; the answers become {ASKED}.\n")
    return ask(_heard, ASKED)


def measured(
    spec: Path | None,
    overrides: Sequence[str],
    runs: Path,
    html: Path | None,
    prices: Path | None,
    on_event: Callable[[str, Mapping[str, Any]], None],  # Any: an event's fields
) -> "MeasureReport":
    """The experiment of the spec, and its page where one is wanted; SpecError without a spec."""
    from finewright.features.measure.experiment import measure, write_page
    from finewright.schema.load import load_spec

    if spec is None:
        raise SpecError("--measure: needs a run spec", hint="finewright decide --measure SPEC")
    loaded = load_spec(spec, overrides)
    report = measure(loaded, runs, on_event=on_event, user_prices=prices)
    if html:
        write_page(report, html)
    return report


def day_of(text: str) -> date:
    """The day, by default today; SpecError for what is none."""
    try:
        return date.fromisoformat(text) if text else date.today()
    except ValueError:
        raise SpecError(f"--today {text}: is no day", hint="write it as 2026-11-25") from None


def _heard(question: Question, complaint: str) -> str:
    """The reply; where the input ends before the first answer, nobody is there to ask."""
    typed = reply(question, complaint)
    if not typed and not complaint and question == QUESTIONS[0]:
        sys.stderr.write("\n")
        raise SpecError(
            "nobody answers: the input is empty",
            hint="finewright decide SPEC, or run it in a terminal",
        )
    return typed


def reply(question: Question, complaint: str) -> str:
    """Ask on stderr, answer from stdin; the end of the input answers unknown."""
    lines = [f"\n{complaint}" if complaint else f"\n{question.text}", f"  why: {question.why}"]
    sys.stderr.write("\n".join(lines) + f"\n  such as {question.example}; Enter: unknown > ")
    sys.stderr.flush()
    return sys.stdin.readline()
