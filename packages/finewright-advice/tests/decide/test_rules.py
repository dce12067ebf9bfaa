"""The practical rules that the guidance agrees on, as golden tests over the packaged facts."""

import pytest

from decide.advising import advise, dropped, of_rule, spec
from finewright_advice.decide.spec import DecideSpec

ENOUGH = {"month_budget_usd": 2000, "effort_hours": 800}


def test_facts_that_change_go_into_retrieval() -> None:
    report = advise(
        spec(knowledge_gap=3, behaviour_gap=0, fact_half_life_days=4, corpus_tokens=5_000_000)
    )
    assert report.winner.startswith("rag,")
    assert report.verdict == "clear"


def test_behaviour_is_fine_tuned() -> None:
    report = advise(
        spec(
            knowledge_gap=0,
            behaviour_gap=3,
            labelled_pairs=5000,
            corpus_tokens=0,
            on_premise_only=True,
            hardware=["RTX 4090"],
        )
    )
    assert report.winner == "ft, self-hosted"
    assert report.verdict == "clear"


def test_behaviour_is_fine_tuned_though_an_api_could_be_prompted() -> None:
    report = advise(
        spec(
            knowledge_gap=0,
            behaviour_gap=3,
            labelled_pairs=5000,
            corpus_tokens=0,
            weights={"quality": 0.6},
            **ENOUGH,
        )
    )
    assert report.winner == "ft, self-hosted"


def test_both_gaps_take_both() -> None:
    report = advise(
        spec(
            knowledge_gap=3, behaviour_gap=3, labelled_pairs=5000, corpus_tokens=5_000_000, **ENOUGH
        )
    )
    assert report.winner == "rag+ft, self-hosted"


def test_fine_tuning_alone_on_facts_that_change_is_refused_with_the_reason() -> None:
    report = advise(spec(knowledge_gap=3, behaviour_gap=0, fact_half_life_days=2))
    assert "G2" in dropped(report)["ft, self-hosted"]
    (finding,) = (f for f in of_rule(report, "G2", "dropped") if "ft, self-hosted" in f.arms)
    assert "half of the facts change within 2 days" in finding.reason
    assert finding.sources


def test_static_niche_knowledge_with_five_thousand_pairs_may_be_fine_tuned_with_a_warning() -> None:
    report = advise(
        spec(knowledge_gap=3, behaviour_gap=0, fact_half_life_days=10_000, labelled_pairs=5000)
    )
    assert "ft, self-hosted" in [ranked.arm for ranked in report.ranking]
    (warning,) = of_rule(report, "G8", "warning")
    assert warning.arms == ("ft, self-hosted",)
    assert {"gekhman-2024", "ovadia-2024"} == {*warning.sources}


@pytest.mark.parametrize("gap", [0, 1])
def test_a_prototype_with_nothing_is_prompted(gap: int) -> None:
    report = advise(
        spec(
            knowledge_gap=gap,
            behaviour_gap=1,
            corpus_tokens=0,
            labelled_pairs=0,
            requests_per_month=1000,
            month_budget_usd=100,
        )
    )
    assert report.winner == "prompt, api"
    assert report.verdict == "clear"


def test_of_a_task_of_which_nothing_is_known_it_is_said_that_it_must_be_measured() -> None:
    report = advise(DecideSpec())
    assert report.verdict == "too close, measure"
    assert report.win_share < 0.6
    assert report.experiment is not None
    assert {"behaviour_gap", "labelled_pairs", "month_budget_usd"} <= report.assumptions.keys()


def test_the_same_input_gives_the_same_bytes() -> None:
    one, two = (advise(DecideSpec()).model_dump_json(indent=2) for _ in range(2))
    assert one == two
