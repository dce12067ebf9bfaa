"""The questions of `decide` on the terminal."""

import sys
from datetime import date
from pathlib import Path

from finewright.decide.questions import Question
from finewright.errors import SpecError
from finewright.workbench.decide import ask

ASKED = Path("decide.yaml")


def path_of(spec: Path | None) -> Path:
    """The spec, or the one that the answers of whoever sits here make."""
    if spec is not None:
        return spec
    sys.stderr.write(f"A few questions; the answers become {ASKED}.\n")
    return ask(reply, ASKED)


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
