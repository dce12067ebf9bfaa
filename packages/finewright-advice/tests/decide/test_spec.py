"""A decision is read from a file of its own or from a run's, and every mistake has file, line and key."""

import json
from functools import cache
from pathlib import Path

import pytest
import yaml

from finewright.errors import FinewrightError
from finewright.judge.json_schema import JsonSchema
from finewright.schema.load_section import load_section
from finewright_advice.decide.spec import Aim, DecideSpec


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "decide.yaml"


def mistakes(file: Path, text: str, *overrides: str) -> list[str]:
    file.write_text(text)
    with pytest.raises(FinewrightError) as caught:
        load_section("decide", DecideSpec, file, overrides)
    return [line.removeprefix(f"{file}") for line in str(caught.value).splitlines()]


def test_name_and_decide_are_enough(file: Path) -> None:
    file.write_text(
        "name: bot\ndecide:\n  knowledge_gap: 2\n  latency_p95_ms: {target: 100, limit: 900}\n"
    )
    loaded = load_section("decide", DecideSpec, file)
    assert (loaded.name, loaded.spec.knowledge_gap) == ("bot", 2)
    assert loaded.spec.latency_p95_ms == Aim(target=100, limit=900)
    assert loaded.spec.labelled_pairs == "unknown"


def test_overrides_are_read(file: Path) -> None:
    file.write_text("name: bot\ndecide:\n  knowledge_gap: 2\n")
    assert (
        load_section("decide", DecideSpec, file, ["decide.knowledge_gap=3"]).spec.knowledge_gap == 3
    )


@pytest.mark.parametrize(
    ("line", "taken"),
    [
        ("requests_per_month: 300k", 300_000),
        ("tokens_in: 1,200", 1200),
        ("corpus_tokens: 2M", 2_000_000),
        ("corpus_tokens: 5 GB", 5 * 1024**3 // 4),
        ("document_tokens: 1.5 MiB", 1.5 * 1024**2 // 4),
        ("fact_half_life_days: 2 weeks", 14),
        ("latency_p95_ms: 8 s", 8000),
        ("latency_p95_ms: 1 day", 86_400_000),
        ("latency_p95_ms: {target: 500 ms, limit: 2 min}", Aim(target=500, limit=120_000)),
        ("month_budget_usd: {target: 50, limit: $2.5k}", Aim(target=50, limit=2500)),
        ("corpus_tokens: 1e12", 10**12),
        ("tokens_in: 1.2e3", 1200),
        ("rule_share: 57%", 0.57),
        ("fact_half_life_days: 36 hours", 1.5),
        ("measured_quality: {rag: 90%}", {"rag": 0.9}),
        ("people_usd_per_hour: $80", 80),
        ("labels: 1k", 1000),
    ],
)
def test_a_number_may_be_written_as_in_the_interview(file: Path, line: str, taken: object) -> None:
    file.write_text(f"name: bot\ndecide:\n  {line}\n")
    spec = load_section("decide", DecideSpec, file).spec
    assert getattr(spec, line.partition(":")[0]) == taken
    assert for_editors()(json.dumps(yaml.safe_load(line))) == 1


@cache
def for_editors() -> JsonSchema:
    return JsonSchema(json.dumps(DecideSpec.model_json_schema()))


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("requests_per_month: 5 GB", "'5 GB' has no unit that this is counted in; known are k, m,"),
        ("latency_p95_ms: 2 m", "'2 m' has no unit that this is counted in; known are ms, s,"),
        ("latency_p95_ms: {limit: 3 GB}", "known are ms, s,"),
        (
            "corpus_tokens: 1,5M",
            "a number such as 400k or 5 GB, or unknown, not '1,5M', with a point for",
        ),
        (
            "fact_half_life_days: weekly",
            "must be a number such as 7 or 2 weeks, or unknown, not 'weekly'",
        ),
        (
            "latency_p95_ms: quick",
            "must be a number such as 800 ms or 8 s, or unknown, not 'quick'",
        ),
        ("rule_share: 101%", "must be at most 1"),
        ("languages: [german]", "codes are those of ISO 639-1; did you mean 'de'?"),
        ("languages: [de-AT]", "did you mean 'de'?"),
        ("tokens_in: 1.5", "must be a whole number"),
        ("month_budget_usd: -5", "must be greater than 0"),
        ("once_budget_usd: {limit: -1}", "must be greater than 0"),
        ("once_budget_usd: {target: 9, limit: 3}", "target 9 must be below limit 3"),
        ("knowledge_gap: 4", "must be at most 3"),
        ("knowledge_gap: 1.5", "must be a whole number"),
        ("requests_per_month: yes", "must be"),
        ("tokens_in: 0", "must be at least 1"),
        ("tokens_in: 200000000", "must be at most"),
        ("labelled_pairs: 1000000000000", "must be at most"),
        ("fact_half_life_days: .inf", "must be"),
        ("data_class: secret", "must be"),
        ("horizon_months: 0", "must be at least 1"),
        ("profile: big", "must be"),
        ("weights: {quality: -1}", "must be at least 0"),
        ("measured_quality: {rag: 1.2}", "must be at most 1"),
        ("hardware: RTX 4090", "must be"),
        ("hardware: [{name: a}]", "required key is missing"),
        ("citations: maybe", "must be"),
    ],
)
def test_a_bad_value_is_one_line_with_file_line_and_key(file: Path, line: str, what: str) -> None:
    found = mistakes(file, f"name: bot\ndecide:\n  {line}\n")
    assert all(each.startswith(":3: decide." + line.partition(":")[0]) for each in found), found
    assert any(what in each for each in found), found


def test_all_weights_of_zero_decide_nothing(file: Path) -> None:
    names = (
        "quality once_usd month_usd latency update_delay data_effort privacy customisation independence"
        " reversibility"
    )
    zeros = ", ".join(f"{name}: 0" for name in names.split())
    (found,) = mistakes(file, f"name: bot\ndecide:\n  weights: {{{zeros}}}\n")
    assert "weights that are all 0 decide nothing" in found


def test_an_unknown_key_is_told_with_the_one_that_was_meant(file: Path) -> None:
    assert mistakes(file, "name: bot\ndecide:\n  labeled_pairs: 9\n") == [
        ":3: decide.labeled_pairs: unknown key; did you mean 'labelled_pairs'?"
    ]
    assert mistakes(file, "name: bot\ndecide:\n  once_budget_usd: {limit: 9, tarhet: 3}\n") == [
        ":3: decide.once_budget_usd.tarhet: unknown key; did you mean 'target'?"
    ]


def test_all_mistakes_are_told_at_once(file: Path) -> None:
    found = mistakes(
        file, "name: bot\ndecide:\n  knowledge_gap: 9\n  tokens_in: 0\n  profle: edge\n"
    )
    assert [line.partition(": ")[0] for line in found] == [":3", ":4", ":5"]


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("", ":1: the file is empty; a decision needs name, decide"),
        ("- a\n", ":1: the top level must be keys with values; a decision needs name, decide"),
        ("name: bot\n", ":1: decide: required key is missing"),
        ("decide: {}\n", ":1: name: required key is missing"),
        ("name: bot\ndecide: &a {}\nb: *a\n", "aliases"),
        ("name: [\n", "not valid YAML"),
    ],
)
def test_a_file_that_is_no_decision(file: Path, text: str, what: str) -> None:
    assert any(what in line for line in mistakes(file, text))


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FinewrightError, match="no such file"):
        load_section("decide", DecideSpec, tmp_path / "none.yaml")
    with pytest.raises(FinewrightError, match="is a folder"):
        load_section("decide", DecideSpec, tmp_path)


def test_a_bad_override_is_named(file: Path) -> None:
    (line,) = mistakes(file, "name: bot\ndecide: {}\n", "decide.tokens_in=0")
    assert line.startswith("--set decide.tokens_in=0: decide.tokens_in: must be at least 1")
