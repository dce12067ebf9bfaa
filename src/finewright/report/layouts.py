"""Which function says what a report shows: one table, by names, so that a command loads its own alone."""

from collections.abc import Callable
from functools import cache
from importlib import import_module

from pydantic import BaseModel

from finewright.feature import features
from finewright.report.blocks import Page, Section, Text

LAYOUTS = {
    "finewright.schema.bakeoff_report:BakeoffReport": "finewright.report.of_bakeoff:bakeoff_page",
    "finewright.schema.tune_report:TuneReport": "finewright.report.of_tune:tune_page",
}
"""`module:Report` -> `module:function` that gives its page."""


def page_of(report: BaseModel) -> Page:
    """What a report shows; one that nobody described shows its fields."""
    if layout := _layout_of(report):
        return function_named(layout)(report)
    fields = Text(report.model_dump_json(indent=2), "code")
    return Page("a report", "", sections=[Section("fields", "", [fields])])


def is_laid_out(report: BaseModel) -> bool:
    """Whether somebody described what the report shows."""
    return _layout_of(report) is not None


def _layout_of(report: BaseModel) -> str | None:
    """That of the core, or of the feature whose report it is."""
    name = f"{type(report).__module__}:{type(report).__name__}"
    found = (feature.reports.get(name) for feature in features().values())
    return LAYOUTS.get(name) or next(filter(None, found), None)


@cache
def function_named(name: str) -> Callable[[BaseModel], Page]:
    """The function behind `module:function`."""
    module, function = name.split(":")
    found: Callable[[BaseModel], Page] = getattr(import_module(module), function)
    return found
