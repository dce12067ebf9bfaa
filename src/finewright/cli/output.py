"""Print a report as text or as JSON; show progress on stderr, and none where JSON is asked for."""

import json as json_module
import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from finewright.cli.progress import Progress
from finewright.plugins import load
from finewright.render.reports import text_of
from finewright.report.layouts import is_laid_out
from finewright.report.show import text_of as shown

# Module of a report's schema -> what writes its page, where that is not laid out in blocks.
PAGES = {
    "finewright.schema.decide_report": "finewright.features.decide.run:write_page",
    "finewright.schema.measure_report": "finewright.features.measure.experiment:write_page",
    "finewright.schema.migrate": "finewright.features.migrate.openai:write_page",
}
# Module of a report's schema -> the module of render that lays it out, where that is not reports.py.
LAYOUTS = {
    "finewright.catalog.sets": "sets",
    "finewright.schema.catalog_report": "catalog",
    "finewright.schema.cost": "cost",
    "finewright.schema.data_check": "data_check",
    "finewright.schema.data_documents": "data_documents",
    "finewright.schema.decide_report": "decide",
    "finewright.schema.duplicates": "duplicates",
    "finewright.schema.formats": "formats",
    "finewright.schema.measure_report": "measure",
    "finewright.schema.migrate": "migrate",
    "finewright.schema.poison": "poison",
    "finewright.schema.predict": "predict",
    "finewright.schema.privacy": "privacy",
    "finewright.schema.provenance": "provenance",
    "finewright.schema.quality": "quality",
    "finewright.schema.raft": "raft",
    "finewright.schema.rag_answers": "rag",
    "finewright.schema.rag_index": "rag",
    "finewright.schema.rag_report": "rag_report",
    "finewright.schema.scale": "duplicates",
    "finewright.schema.sets": "sets",
}


def show(report: BaseModel, *, as_json: bool) -> None:
    """The report on stdout."""
    sys.stdout.write((report.model_dump_json(indent=2) if as_json else _text(report)) + "\n")


def _text(report: BaseModel) -> str:
    if is_laid_out(report):
        return shown(report)
    if layout := LAYOUTS.get(type(report).__module__):
        import_module(f"finewright.render.{layout}")
    return text_of(report)


def write_page(report: BaseModel, path: Path) -> None:
    """The report as one page."""
    load(PAGES.get(type(report).__module__, "finewright.report.show:write_page"))(report, path)


def show_json(value: object) -> None:
    """Plain data on stdout."""
    sys.stdout.write(json_module.dumps(value, indent=2, ensure_ascii=False) + "\n")


def watch(as_json: bool) -> Callable[[str, Mapping[str, Any]], None]:
    """The `on_event` of a run."""
    return (lambda *_: None) if as_json else Progress().show


def tell(text: str) -> None:
    """A text that is not the command's output, at once."""
    sys.stderr.write(text)
    sys.stderr.flush()


def ask(text: str) -> str:
    """The line that is typed after the text, or nothing where the input has ended."""
    tell(text)
    return sys.stdin.readline()
