"""Print a report as text or as JSON; show progress on stderr, and none where JSON is asked for."""

import json as json_module
import sys
from collections.abc import Callable, Mapping
from typing import Any

from pydantic import BaseModel

from finewright.cli.progress import Progress
from finewright.render import (  # noqa: F401 - each gives its reports their layout
    catalog,
    cost,
    data_check,
    data_documents,
    decide,
    duplicates,
    formats,
    poison,
    privacy,
    provenance,
    quality,
    sets,
)
from finewright.render.reports import text_of


def show(report: BaseModel, *, as_json: bool) -> None:
    """The report on stdout."""
    sys.stdout.write((report.model_dump_json(indent=2) if as_json else text_of(report)) + "\n")


def show_json(value: object) -> None:
    """Plain data on stdout."""
    sys.stdout.write(json_module.dumps(value, indent=2, ensure_ascii=False) + "\n")


def watch(as_json: bool) -> Callable[[str, Mapping[str, Any]], None]:
    """The `on_event` of a run."""
    return (lambda *_: None) if as_json else Progress().show


def watch_answers(as_json: bool) -> Callable[[str, str, int, int], None]:
    """The `on_progress` of an evaluation."""
    progress = watch(as_json)

    def on_progress(system: str, data: str, done: int, total: int) -> None:
        progress("progress", {"system": system, "data": data, "done": done, "total": total})

    return on_progress
