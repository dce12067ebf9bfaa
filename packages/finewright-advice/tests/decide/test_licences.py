"""What the licence of a model's weights allows: a gate with its reason, conditions, a column."""

import json
from pathlib import Path

import pytest

from decide.advising import advise, dropped, of_rule, spec
from finewright.catalog.licences import model_licence
from finewright.catalog.models import open_models
from finewright.report.text import as_text
from finewright_advice.decide.report import decide_page
from finewright_advice.decide.spec import UNKNOWN

pytestmark = pytest.mark.usefixtures("few_cases")
AT_HOME = {"prompt, self-hosted", "rag, self-hosted", "ft, self-hosted", "rag+ft, self-hosted"}


def test_every_open_model_has_a_licence_that_is_written_down() -> None:
    for name, row in open_models().items():
        licence = model_licence(row.license)
        assert licence is not None, name
        assert licence.source
        assert licence.is_commercial or licence.conditions


@pytest.mark.parametrize("model", ["Qwen2.5-3B", "Mistral-Large"])
@pytest.mark.parametrize(("commercial", "out"), [(True, True), (UNKNOWN, True), (False, False)])
def test_a_licence_for_research_alone_drops_a_commercial_use(
    model: str, commercial: bool | str, out: bool
) -> None:
    report = advise(spec(base_model=model, commercial_use=commercial))
    by_licence = {arm for arm, rules in dropped(report).items() if "G19" in rules}
    assert (by_licence >= AT_HOME) == out
    if out:
        reasons = {finding.reason for finding in of_rule(report, "G19", "dropped")}
        assert all(model in reason and "commercial" in reason for reason in reasons)


@pytest.mark.parametrize(
    ("model", "users", "out"),
    [
        *(("Llama-3.1-8B", 700_000_000, False), ("Llama-3.1-8B", 700_000_001, True)),
        *(("Qwen2.5-72B", 100_000_000, False), ("Qwen2.5-72B", 100_000_001, True)),
        *(("Qwen3-8B", 10**12, False), ("gemma-3-12b", 10**12, False)),
    ],
)
def test_a_number_of_users_is_held_against_the_licence(model: str, users: int, out: bool) -> None:
    report = advise(spec(base_model=model, users_per_month=users))
    assert any("G19" in rules for rules in dropped(report).values()) == out


def test_conditions_are_told_and_a_free_licence_says_nothing() -> None:
    (llama,) = of_rule(advise(spec(base_model="Llama-3.1-8B")), "G19", "advice")
    assert "Acceptable Use Policy" in llama.reason
    assert "700,000,000" in llama.reason
    assert not of_rule(advise(spec(base_model="Qwen3-8B")), "G19", "advice")


def test_no_model_that_is_taken_forbids_the_use() -> None:
    """50 million documents a month of a company, of which Qwen2.5-3B would be the cheapest."""
    volume = {"task": "extract", "requests_per_month": 50_000_000, "tokens_in": 400}
    volume |= {"tokens_out": 20, "knowledge_gap": 0, "corpus_tokens": 0, "month_budget_usd": 5000}
    report = advise(spec(**volume, base_model=UNKNOWN, api_model=UNKNOWN, labelled_pairs=0))
    for row in report.ranking:
        licence = model_licence(row.licence)
        assert licence is None or licence.is_commercial
    (out,) = (m for m in report.models if m.model == "Qwen2.5-3B" and "self" in m.arm)
    assert out.dropped.startswith("G19")


def test_the_ranking_has_the_licence_of_every_model() -> None:
    report = advise(spec(base_model="Llama-3.1-8B"))
    licences = {row.arm: row.licence for row in report.ranking}
    assert licences["rag, self-hosted"] == "LicenseRef-Llama-3.1"
    assert licences["rag, api"] == "its provider's terms"
    assert "LicenseRef-Llama-3.1" in as_text(decide_page(report))
    assert "licence: " in report.taken


def test_the_licence_of_a_folder_is_said_to_be_unknown(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(open_models()["Qwen3-0.6B"].config))
    report = advise(spec(base_model=str(folder)))
    (finding,) = of_rule(report, "G19", "warning")
    assert "unknown" in finding.reason
