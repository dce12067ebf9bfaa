"""`decide` on the terminal: its questions, and its experiment."""

import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from finewright.decide.questions import Question
from finewright.errors import SpecError
from finewright.workbench.decide import ask

if TYPE_CHECKING:
    from finewright.schema.measure_report import MeasureReport

ASKED = Path("decide.yaml")


def path_of(spec: Path | None) -> Path:
    """The spec, or the one that the answers of whoever sits here make."""
    if spec is not None:
        return spec
    sys.stderr.write(f"A few questions; the answers become {ASKED}.\n")
    return ask(reply, ASKED)


def measured(
    spec: Path | None,
    overrides: Sequence[str],
    runs: Path,
    html: Path | None,
    prices: Path | None,
    on_event: Callable[[str, Mapping[str, Any]], None],  # Any: an event's fields
) -> "MeasureReport":
    """The experiment of the spec, and its page where one is wanted; SpecError without a spec."""
    from finewright.schema.load import load_spec
    from finewright.workbench.measure import measure, write_page

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


def reply(question: Question, complaint: str) -> str:
    """Ask on stderr, answer from stdin; the end of the input answers unknown."""
    lines = [f"\n{complaint}" if complaint else f"\n{question.text}", f"  why: {question.why}"]
    sys.stderr.write("\n".join(lines) + f"\n  [{question.example}, or unknown] > ")
    sys.stderr.flush()
    return sys.stdin.readline()
