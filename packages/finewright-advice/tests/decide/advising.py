"""Advice for the tests: by the packaged facts, or by figures that a test makes by hand."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from finewright.catalog.prices import read_packaged_prices
from finewright.schema.cost import Range
from finewright_advice.catalog.advice import read_packaged_advice
from finewright_advice.decide import advise as advice_itself
from finewright_advice.decide import sensitivity
from finewright_advice.decide.advise import Adviser
from finewright_advice.decide.arms import ARMS, Arm, Figures
from finewright_advice.decide.case import Case
from finewright_advice.decide.choice import Candidates
from finewright_advice.decide.packaged import adviser_for, collect_known_names
from finewright_advice.decide.results import DecideReport, RuleFinding
from finewright_advice.decide.spec import DecideSpec

TODAY = date(2026, 11, 25)

KNOWN: dict[str, Any] = {
    "task": "answer",
    "behaviour_gap": 1,
    "knowledge_gap": 1,
    "fact_half_life_days": 365,
    "corpus_tokens": 2_000_000,
    "labelled_pairs": 1000,
    "citations": False,
    "per_document_access": False,
    "erasure_duty": False,
    "data_class": "internal",
    "on_premise_only": False,
    "requests_per_month": 30_000,
    "tokens_in": 800,
    "tokens_out": 250,
    "latency_p95_ms": 15_000,
    "once_budget_usd": 5_000,
    "month_budget_usd": 1_000,
    "effort_hours": 400,
    "hardware": "none",
    "domain": "other",
    "difficulty": "usual",
    "output": "text",
    "languages": ["en"],
    "rule_share": 0.0,
    "labels": 2,
    "people_usd_per_hour": 80.0,
    "documents": "text",
    "unlabelled_inputs": 0,
    "document_tokens": 0,
    "personal_data": "none",
    "talks_to_people": False,
    "commercial_use": True,
    "users_per_month": 10_000,
    "base_model": "Qwen2.5-7B",
    "api_model": "gpt-6-luna",
}
"""A task about which everything is known, and that no gate but those of the market touches."""


def spec(**changes: Any) -> DecideSpec:
    """The known task with some of it changed."""
    return DecideSpec.model_validate({**KNOWN, **changes})


def advise(of: DecideSpec, today: date = TODAY) -> DecideReport:
    """The advice by the packaged facts."""
    return adviser_for(of, collect_known_names(read_packaged_prices(), Path, today)).advise(
        "test", of
    )


@contextmanager
def only_middle() -> Iterator[None]:
    """No input is looked at but at its middle, which alone decides the first choice and all figures."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sensitivity, "NUM_CASES", 1)
        patch.setattr(advice_itself, "swings", lambda *_: ())
        yield


@cache
def exactly(value: float) -> Range:
    """A range without width."""
    return Range(low=value, median=value, high=value)


def figures(arm: Arm, **changes: Any) -> Figures:
    """Figures that no gate minds: nothing costs anything, and everything fits."""
    plain: dict[str, Any] = {
        "once_usd": exactly(0),
        "month_usd": exactly(0),
        "latency_ms": exactly(100),
        "update_days": exactly(1),
        "effort_hours": exactly(10),
        "fixed_month_usd": exactly(0),
        "request_usd": exactly(0),
        "place": "api" if arm.host == "api" else "rented",
        "model": "a model",
        "context_tokens": 1_000_000,
        "can_fine_tune": True,
    }
    return Figures(**{**plain, **changes})


def hand_made(
    of: DecideSpec, make: Callable[[Case, Arm], Mapping[str, Any]] = lambda case, arm: {}
) -> DecideReport:
    """The advice by figures that differ from the plain ones as `make` says."""

    def figures_of(case: Case) -> dict[Arm, Figures]:
        return {arm: figures(arm, **make(case, arm)) for arm in ARMS}

    one = Candidates(("a model",), ("a model",))
    return Adviser(read_packaged_advice(), figures_of, "hand", TODAY, one).advise("test", of)


def dropped(report: DecideReport) -> dict[str, set[str]]:
    """Arm -> the rules that surely drop it."""
    found: dict[str, set[str]] = {}
    for finding in report.findings:
        if finding.effect == "dropped" and finding.certain:
            for arm in finding.arms:
                found.setdefault(arm, set()).add(finding.rule)
    return found


def of_rule(report: DecideReport, rule: str, effect: str) -> list[RuleFinding]:
    """The findings of a rule with an effect."""
    return [f for f in report.findings if (f.rule, f.effect) == (rule, effect)]
