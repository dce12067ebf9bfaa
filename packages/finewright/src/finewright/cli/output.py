"""Print a report as text or as JSON; show progress on stderr, and none where JSON is asked for."""

import json as json_module
import sys
from collections.abc import Callable, Mapping
from typing import Any

from pydantic import BaseModel

from finewright.cli.progress import ProgressLine
from finewright.report.show import text_of


def show(report: BaseModel, *, as_json: bool) -> None:
    """The report on stdout."""
    sys.stdout.write((report.model_dump_json(indent=2) if as_json else text_of(report)) + "\n")


def give(text: str) -> None:
    """A text that is the command's output, as it stands."""
    sys.stdout.write(text)


def show_json(value: object) -> None:
    """Plain data on stdout."""
    sys.stdout.write(json_module.dumps(value, indent=2, ensure_ascii=False) + "\n")


def watch(as_json: bool) -> Callable[[str, Mapping[str, Any]], None]:
    """The `on_event` of a run."""
    return (lambda *_: None) if as_json else ProgressLine().show


def tell(text: str) -> None:
    """A text that is not the command's output, at once."""
    sys.stderr.write(text)
    sys.stderr.flush()


def ask(text: str) -> str:
    """The line that is typed after the text, or nothing where the input has ended."""
    tell(text)
    return sys.stdin.readline()
