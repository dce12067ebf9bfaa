"""The brief of any report, for programs and agents that read little: its verdict, its first numbers, its
problems counted, and where the whole is."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel

from finewright.report.blocks import Page
from finewright.report.layouts import page_of
from finewright.schema.common import Problem

MOST_BYTES = 2048
"""Of a brief as JSON: some 500 tokens of the context of the model that asked."""
_VERDICT, _LINE, _NAME = 400, 200, 120
"""Longest verdict, line of a problem, and text among the numbers, as bytes of JSON; a cut one ends
with an ellipsis."""
_FIRST = 3
"""Problems that are shown; all are counted."""


def brief_of(report: BaseModel, *, whole: str = "") -> dict[str, Any]:
    """At most MOST_BYTES of JSON; `whole` says where the whole report is.

    "verdict" is what its page answers; "problems" counts all of them by level and shows the first, errors
    before others; "numbers" has the report's own figures and names in their order, as many as there is room
    for, and "more_numbers" says how many there was none for."""
    page = page_of(report)
    found = list(dict.fromkeys([*page.problems, *_problems(report)]))
    by_level = Counter(problem.level for problem in found)
    ordered = sorted(found, key=lambda problem: ("error", "warning", "info").index(problem.level))
    brief: dict[str, Any] = {"report": page.subject, "verdict": _cut(_verdict(page), _VERDICT)}
    if isinstance(passed := getattr(report, "passed", None), bool):
        brief["passed"] = passed
    brief["problems"] = {
        **{level: by_level[level] for level in ("error", "warning", "info")},
        "first": [_cut(problem.line(), _LINE) for problem in ordered[:_FIRST]],
    }
    if whole:
        brief["whole"] = whole
    return _with_numbers(brief, dict(_numbers(report.model_dump(mode="json"))))


def _verdict(page: Page) -> str:
    """What the page answers; of one without an answer its title, its first lines, or what it shows."""
    shown = ", ".join(each.title for each in page.sections if each.title)
    return page.answer or " ".join([page.title, *page.about]).strip() or shown or page.subject


def _problems(value: Any) -> Iterator[Problem]:  # Any: of a report, whatever it has
    """All within it, at any depth."""
    if isinstance(value, Problem):
        yield value
    elif isinstance(value, BaseModel):
        yield from _problems([each for _, each in value])
    elif isinstance(value, Mapping):
        yield from _problems(list(value.values()))
    elif isinstance(value, list | tuple):
        for each in value:
            yield from _problems(each)


def _numbers(fields: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    """The numbers, claims and short texts of a report, and how long its lists are; `a.b` is within `a`."""
    for name, value in fields.items():
        if name in ("problems", "passed"):
            continue
        if isinstance(value, dict):
            yield from _numbers(value, f"{before}{name}.")
        elif isinstance(value, list):
            yield f"{before}{name}", len(value)
        elif isinstance(value, str):
            yield f"{before}{name}", _cut(value, _NAME)
        elif value is not None:
            yield f"{before}{name}", value


def _with_numbers(brief: dict[str, Any], numbers: Mapping[str, Any]) -> dict[str, Any]:
    """The brief with the numbers, those nearest to the top first, that there is room for."""
    room = MOST_BYTES - size_of({**brief, "numbers": {}, "more_numbers": len(numbers)})
    kept: dict[str, Any] = {}
    for name in sorted(numbers, key=lambda name: name.count(".")):
        room -= size_of({name: numbers[name]})  # its braces stand for the comma and the space
        if room < 0:
            break
        kept[name] = numbers[name]
    more = len(numbers) - len(kept)
    return {**brief, "numbers": kept, **({"more_numbers": more} if more else {})}


def size_of(value: object) -> int:
    """Bytes of it as JSON."""
    return len(json.dumps(value, ensure_ascii=False).encode())


def _cut(text: str, most: int) -> str:
    """On one line, of at most so many bytes as JSON."""
    text = " ".join(text.split())
    if size_of(text) <= most:
        return text
    text = text[:most]
    while size_of(text) > most - len("…".encode()):
        text = text[:-1]
    return text + "…"
