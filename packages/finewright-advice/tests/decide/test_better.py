"""A model that the spec names hides nothing that is better, and 4 bits stand beside 16."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from decide.advising import TODAY, advise, spec
from finewright_advice.decide.results import DecideReport
from finewright_advice.decide.run import decide_file
from finewright_advice.decide.spec import UNKNOWN

pytestmark = pytest.mark.usefixtures("few_cases")
EXAMPLE = Path(__file__).parents[4] / "examples" / "decide-support-bot.yaml"
GUIDE = (
    *("Llama-3.1-8B", "Llama-3.1-70B", "Llama-3.1-405B", "Mistral-7B", "Mixtral-8x7B"),
    *("Mistral-Large", "DeepSeek-R1", "DeepSeek-V3", "DeepSeek-LLM-67B"),
    *("DeepSeek-R1-Distill-Qwen-7B", "Qwen2.5-7B", "Qwen2.5-14B", "Qwen2.5-32B", "Qwen2.5-72B"),
    *("gemma-2-2b", "gemma-2-9b", "Phi-3-mini", "Phi-4", "gpt-oss-20b", "gpt-oss-120b"),
)


def support_bot(*overrides: str) -> DecideReport:
    return decide_file(EXAMPLE, overrides, today=TODAY)


def best_with_any_model(overrides: Sequence[str] = ()) -> DecideReport:
    free = ("decide.base_model=unknown", "decide.api_model=unknown")
    return support_bot(*free, *overrides)


def test_a_named_model_hides_no_better_arm() -> None:
    """What is told is what the same spec answers where nobody names a model."""
    named, free = support_bot(), best_with_any_model()
    assert free.ranking[0].score > named.ranking[0].score + 0.01
    assert free.ranking[0].arm in named.better
    assert f"with {free.ranking[0].model}, " in named.better
    assert f"{free.ranking[0].score:.3f} against {named.ranking[0].score:.3f}" in named.better
    assert not free.better


def test_what_would_be_left_is_told_where_the_named_model_leaves_nothing() -> None:
    at_home = {"on_premise_only": True, "hardware": ["RTX 4090"], "api_model": UNKNOWN}
    report = advise(spec(base_model="Qwen2.5-72B", **at_home))
    assert report.verdict == "nothing is left"
    assert "is left: " in report.better


def test_400_ms_less_do_not_turn_the_answer_round() -> None:
    answers = [
        support_bot(f"decide.latency_p95_ms={{target: 2000, limit: {limit}}}")
        for limit in (8000, 7800, 7600, 7400)
    ]
    assert {report.winner for report in answers} == {"rag+ft, self-hosted"}
    scores = [report.ranking[0].score for report in answers]
    assert scores == sorted(scores, reverse=True)
    assert max(scores) - min(scores) < 0.01


def test_a_stricter_limit_never_scores_more() -> None:
    """16 bits on the cheapest machine were taken until they were too late, and 4 bits then scored more."""
    scores = []
    for limit in range(3000, 12_001, 1500):
        report = advise(spec(latency_p95_ms={"target": 1000, "limit": limit}, api_model=UNKNOWN))
        scores += [next(r.score for r in report.ranking if r.arm == "rag, self-hosted")]
    assert scores == sorted(scores)


def test_4_bits_lose_what_was_published_and_16_are_kept_where_time_is_no_matter() -> None:
    own = {"hardware": ["L40S"], "on_premise_only": True, "base_model": "Qwen2.5-14B"}
    own |= {"requests_per_month": 100, "knowledge_gap": 0, "tokens_out": 170}
    patient, hasty = (
        next(c for c in advise(spec(**own, latency_p95_ms=ms)).costs if c.arm == NAME)
        for ms in (3_600_000, 5_000)
    )
    assert "16-bit" in patient.how[0]
    assert "4-bit" in hasty.how[0]
    assert hasty.quality.median / patient.quality.median == pytest.approx(0.98)


NAME = "prompt, self-hosted"


@pytest.mark.parametrize("model", GUIDE)
def test_every_size_of_the_guides_table_can_be_named(model: str) -> None:
    report = advise(spec(base_model=model, users_per_month=1000, commercial_use=False))
    figure = next(cost for cost in report.costs if cost.arm == NAME)
    assert figure.model == model
    assert figure.month_usd.high > 0
