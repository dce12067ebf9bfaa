"""What is said where no machine holds a model: numbers that agree with each other and with the catalog."""

from typing import Any

import pytest

from decide.advising import advise, dropped, spec
from decide.test_figures import FT, figured
from finewright.report.show import text_of
from finewright_advice.decide.arms import Arm

REVIEW: dict[str, Any] = {
    "base_model": "Llama-3.3-70B",
    "corpus_tokens": 0,
    "knowledge_gap": 0,
    "document_tokens": 93_500,
    "requests_per_month": 500,
}


def test_what_a_program_has_of_a_machine_is_named_where_it_is_too_little() -> None:
    """A program finds 0.91 of the 270 GiB of a B300, and leaves a twentieth of that: 233.4."""
    at_home = {"hardware": ["B300"], "on_premise_only": True}
    said = figured(**REVIEW, **at_home)[FT].misfit
    assert "GiB on one GPU" in said
    assert "more than B300 holds, of which 233.4 GiB of each GPU are usable" in said
    largest = (
        "no machine for rent holds it, the largest being MI355X with 249.0 GiB of each GPU usable"
    )
    assert said.endswith(largest)


def test_what_no_machine_trains_has_no_price() -> None:
    report = advise(spec(**REVIEW))
    cost = next(cost for cost in report.costs if cost.arm == "ft, self-hosted")
    assert "G7" in dropped(report)[cost.arm]
    assert not cost.is_possible
    row = next(line for line in text_of(report).splitlines() if line.startswith(cost.arm + " ("))
    assert row.split(")", 1)[1].split() == ["-"] * 7


def test_the_cache_of_documents_that_all_requests_share_is_named_once() -> None:
    """Qwen2.5-7B keeps 57,344 bytes a token: 60 million are 3,204.3 GiB, however many ask at once."""
    found = figured(corpus_tokens=60_000_000, hardware=["L40S"], on_premise_only=True)
    said = found[Arm("prompt+long-context", "self-hosted")].misfit
    assert pytest.approx(3204.3, abs=0.1) == 60e6 * 57_344 / 1024**3
    assert "3,204.3 for the cache of the documents, which all requests share" in said
