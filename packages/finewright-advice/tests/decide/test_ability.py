"""A model's place on the scale foretells benchmarks that the scale was not made of here."""

import pytest

from finewright.catalog.models import open_models
from finewright.catalog.prices import read_packaged_prices
from finewright_advice.catalog.advice import LANGUAGES, read_packaged_capabilities
from finewright_advice.decide.ability import ability_of, languages_of, success

# Qwen3 Technical Report (arXiv:2505.09388), tables 12 to 20, without thinking: percent right.
MMLU_REDUX = {
    **{"Qwen2.5-1.5B": 50.7, "Qwen2.5-7B": 75.4, "Qwen2.5-14B": 80.0, "Qwen2.5-72B": 86.8},
    **{"Llama-3.1-8B": 61.7, "gemma-3-1b": 33.3, "gemma-3-12b": 77.8, "gemma-3-27b": 82.6},
    **{"Phi-4": 85.3, "Qwen3-0.6B": 44.6, "Qwen3-4B": 77.3, "Qwen3-8B": 79.5, "Qwen3-14B": 82.0},
    **{"Qwen3-30B-A3B": 84.1, "gpt-4o-mini": 81.5},
}
LIVE_CODE = {
    **{"Qwen2.5-1.5B": 5.3, "Qwen2.5-7B": 14.4, "Qwen2.5-14B": 21.9, "Qwen2.5-72B": 30.7},
    **{"Llama-3.1-8B": 10.8, "gemma-3-1b": 1.8, "gemma-3-12b": 25.7, "gemma-3-27b": 26.9},
    **{"Phi-4": 25.2, "Qwen3-4B": 21.3, "Qwen3-8B": 22.8, "gpt-4o-mini": 27.9},
}


@pytest.mark.parametrize(
    ("published", "task", "difficulty"), [(MMLU_REDUX, "answer", 39), (LIVE_CODE, "code", 63)]
)
def test_published_results_follow_the_scale(
    published: dict[str, float], task: str, difficulty: float
) -> None:
    gaps = [
        success(ability_of(name, task).level.median, difficulty) - percent / 100
        for name, percent in published.items()
    ]
    assert (sum(gap * gap for gap in gaps) / len(gaps)) ** 0.5 < 0.08


def test_a_small_model_is_not_as_able_as_a_large_one_for_code() -> None:
    """An audit's case: 135 million parameters beside 70 billion, and an old small API beside the largest."""
    small = ability_of("SmolLM2-135M", "code", 134_515_008)
    assert "by its size" in small.known
    assert small.level.high < ability_of("Llama-3.1-70B", "code").level.low
    old, new = (ability_of(name, "code").level for name in ("gpt-4o-mini", "claude-opus-5-5"))
    assert success(old.median, 50) + 0.3 < success(new.median, 50)


def test_what_nobody_published_is_said_to_be_unknown() -> None:
    found = ability_of("mistral-small-2603", "write")
    assert not found.is_published
    assert found.known.startswith("unknown: ")
    assert found.level.high - found.level.low > 25


def test_an_apis_name_of_an_open_model_is_that_model() -> None:
    assert ability_of("qwen/qwen3-14b", "answer") == ability_of("Qwen3-14B", "answer")
    assert languages_of("SmolLM2-1.7B") == ("en",)


def test_every_row_is_of_a_model_of_the_catalog_and_has_its_source() -> None:
    known = {*open_models(), *(api.model for api in read_packaged_prices().apis)}
    for name, row in read_packaged_capabilities().models.items():
        assert name in known
        assert row.source
        assert row.observed_at.year >= 2026


def test_every_language_of_a_model_has_a_code_that_may_be_asked_for() -> None:
    rows = read_packaged_capabilities().models.values()
    assert {code for row in rows for code in row.languages or ()} <= LANGUAGES
