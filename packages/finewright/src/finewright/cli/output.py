"""Print a report as text or as JSON; show progress on stderr, and none where JSON is asked for.

On a terminal nothing is wider than it. In a pipe a paragraph is one line, so that `grep` finds it whole, and
a table has the width `PIPE_WIDTH`. Colour is for a terminal without NO_COLOR."""

import json as json_module
import os
import re
import shutil
import sys
from collections.abc import Callable, Mapping
from typing import Any, TextIO

from pydantic import BaseModel

from finewright.cli.progress import ProgressLine
from finewright.report.show import text_of
from finewright.report.text import Room

PIPE_WIDTH = 120
"""Of a table that no terminal shows: what a CI log and a page of a code host show without scrolling."""
_RED, _GREEN, _YELLOW, _PLAIN = "\033[31m", "\033[32m", "\033[33m", "\033[0m"
# A problem's first word at the start of a line, and a change in points whose interval is on one side of 0.
_COLOURS = (
    (re.compile(r"^error:", re.M), _RED),
    (re.compile(r"^warning:", re.M), _YELLOW),
    (re.compile(r"\+[\d.,]+ points \(\+(?!0\.0 )[^)]*\)"), _GREEN),
    (re.compile(r"-[\d.,]+ points \(-[\d.,]+ to -(?!0\.0\))[^)]*\)"), _RED),
)


def show(report: BaseModel, *, as_json: bool, is_whole: bool = True) -> None:
    """The report on stdout, with its details where `is_whole`."""
    if as_json:
        sys.stdout.write(report.model_dump_json(indent=2) + "\n")
        return
    sys.stdout.write(paint(text_of(report, room(), is_whole=is_whole), sys.stdout) + "\n")


def room() -> Room:
    """The columns that stdout has."""
    if not sys.stdout.isatty():
        return Room(None, PIPE_WIDTH)
    width = shutil.get_terminal_size().columns
    return Room(width, width)


def paint(text: str, stream: TextIO) -> str:
    """The text with errors, warnings, gains and losses in colour, where the stream is a terminal."""
    if not stream.isatty() or os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return text
    for pattern, colour in _COLOURS:
        text = pattern.sub(rf"{colour}\g<0>{_PLAIN}", text)
    return text


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
