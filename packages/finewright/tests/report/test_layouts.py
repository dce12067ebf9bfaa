"""Each report is found by its class, and each class by its function."""

from typing import get_type_hints

import pytest
from pydantic import BaseModel

from finewright.plugins import load
from finewright.report.blocks import Page
from finewright.report.layouts import LAYOUTS
from finewright.report.show import html_of, text_of
from finewright.schema.common import Artifact

from .pages import check_page

ARTIFACT = Artifact(path="evaluate/samples.jsonl", kind="samples", sha256="0" * 64, bytes=1)


@pytest.mark.parametrize("name", LAYOUTS)
def test_a_layout_takes_the_report_it_is_for(name: str) -> None:
    report = load(name)
    assert issubclass(report, BaseModel)
    assert list(get_type_hints(load(LAYOUTS[name])).values()) == [report, Page]


def test_a_report_that_nobody_described_shows_its_fields() -> None:
    assert text_of(ARTIFACT) == ARTIFACT.model_dump_json(indent=2)
    assert "evaluate/samples.jsonl" in check_page(html_of(ARTIFACT)).text
