"""`decide` from a file or from answers, to text, JSON and a page; bad names have file, line and key."""

import json
import os
import re
import subprocess
import sys
from datetime import date
from pathlib import Path
from typing import Any

import pytest

import published
from finewright.errors import DataError, SpecError
from finewright.report.show import write_page
from finewright_advice.decide.run import ask, decide, decide_file
from finewright_advice.decide.spec import DecideSpec

TODAY = date(2026, 11, 25)
EXAMPLES = sorted(
    path
    for path in (Path(__file__).parents[4] / "examples").glob("decide-*.yaml")
    if path.stem != "decide-labels"  # it trains a model that decides, and asks for no advice
)
WINNERS = {
    "decide-support-bot": ("rag+ft, self-hosted", "too close, measure"),
    "decide-bank": ("rag+ft, self-hosted", "clear"),
    "decide-edge": ("ft, self-hosted", "clear"),
    "decide-web3-auditor": ("rag+ft, self-hosted", "clear"),
}


def written(tmp_path: Path, *lines: str) -> Path:
    path = tmp_path / "d.yaml"
    path.write_text("\n".join(["name: bot", "decide:", *(f"  {line}" for line in lines)]) + "\n")
    return path


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_gives_the_advice_that_it_is_an_example_of(path: Path) -> None:
    report = decide_file(path, today=TODAY)
    assert report.name == path.stem
    assert (report.winner, report.verdict) == WINNERS[path.stem]
    assert f"finewright decide examples/{path.name}" in path.read_text()


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_the_docs_say_what_the_example_answers(path: Path) -> None:
    page = (path.parents[1] / "docs" / "decide.md").read_text()
    assert f"| `examples/{path.name}` | {decide_file(path, today=TODAY).answer} |" in page


def test_there_is_an_example_for_each_kind_of_user() -> None:
    assert {path.stem for path in EXAMPLES} == WINNERS.keys()


@pytest.mark.usefixtures("middle_alone")
def test_the_bank_has_its_duties_and_the_edge_device_no_network() -> None:
    bank, edge = (
        decide_file(path, today=TODAY)
        for path in EXAMPLES
        if path.stem in {"decide-bank", "decide-edge"}
    )
    assert any(f.rule == "G10" and f.effect == "duty" for f in bank.findings)
    assert all(ranked.host == "self-hosted" for ranked in edge.ranking)


def test_two_processes_give_the_same_bytes_and_import_nothing_heavy() -> None:
    code = (
        "import sys; from datetime import date; from pathlib import Path;"
        "from finewright_advice.decide.run import decide_file;"
        "print(decide_file(Path(sys.argv[1]), today=date(2026, 11, 25)).model_dump_json(indent=2));"
        "print(sorted({'torch', 'transformers', 'numpy', 'datasets'} & set(sys.modules)), file=sys.stderr)"
    )
    command = [sys.executable, "-c", code, str(EXAMPLES[0])]
    one, two = (
        subprocess.run(
            command, capture_output=True, check=True, env={**os.environ, "PYTHONHASHSEED": seed}
        )
        for seed in ("1", "2")
    )
    assert one.stdout == two.stdout
    assert json.loads(one.stdout)["today"] == "2026-11-25"
    assert one.stderr.decode().splitlines()[-1] == "[]"


@pytest.mark.parametrize(
    ("line", "key", "what"),
    [
        ("base_model: Qwen2.5-7", "base_model", "did you mean 'Qwen2.5-7B'?"),
        ("api_model: gpt-6-lunar", "api_model", "did you mean 'gpt-6-luna'?"),
        ("api_model: acme/x", "api_model", "unknown API model 'acme/x'"),
        ("hardware: [RTX 4090, RTX 9999]", "hardware.1", "unknown GPU 'RTX 9999'"),
        ("domain: employmnt", "domain", "did you mean 'employment'?"),
        (
            "languages: [en, xx]",
            "languages.1",
            "unknown language 'xx': codes are those of ISO 639-1",
        ),
        ("languages: [jp]", "languages.0", "did you mean 'ja'?"),
    ],
)
def test_a_name_that_nobody_knows_is_one_line(
    tmp_path: Path, line: str, key: str, what: str
) -> None:
    path = written(tmp_path, line)
    with pytest.raises(SpecError) as caught:
        decide_file(path, today=TODAY)
    (told,) = str(caught.value).splitlines()
    assert told.startswith(f"{path}:3: decide.{key}: ")
    assert what in told


@pytest.mark.usefixtures("middle_alone")
def test_a_prompt_that_one_model_cannot_hold_refuses_no_other(tmp_path: Path) -> None:
    lines = ("base_model: Qwen2.5-7B", "tokens_in: 90000", "tokens_out: 100", "corpus_tokens: 0")
    report = decide_file(written(tmp_path, *lines), today=TODAY)
    left = {row.arm for row in report.ranking}
    assert "prompt, api" in left
    assert not any(arm.endswith("self-hosted") for arm in left)
    (found,) = (f for f in report.findings if f.rule == "G12" and "prompt, self-hosted" in f.arms)
    assert "90,100 tokens do not fit into the 32,768 of Qwen2.5-7B" in found.reason


@pytest.mark.usefixtures("middle_alone")
def test_a_model_folder_is_read_by_its_config(tmp_path: Path) -> None:
    config = published.config("llama", 64, 128, 2, 4, 4, 1000, max_position_embeddings=4096)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "config.json").write_text(json.dumps(config))
    report = decide_file(written(tmp_path, "base_model: mine"), today=TODAY)
    assert {cost.model for cost in report.costs if cost.arm == "ft, self-hosted"} == {"mine"}


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (None, "without config.json"),
        ("{", "is not JSON"),
        ("[]", "must be an object"),
        ("{}", "no closed"),
    ],
)
def test_a_model_folder_without_a_usable_config(
    tmp_path: Path, content: str | None, what: str
) -> None:
    (tmp_path / "mine").mkdir()
    if content is not None:
        (tmp_path / "mine" / "config.json").write_text(content)
    path = written(tmp_path, "base_model: mine")
    with pytest.raises(SpecError) as caught:
        decide_file(path, today=TODAY)
    (told,) = str(caught.value).splitlines()
    assert told.startswith(f"{path}:3: decide.base_model: ")
    assert what in told


def test_a_spec_in_code_with_a_name_that_nobody_knows_is_a_data_error() -> None:
    with pytest.raises(DataError, match=r"decide\.domain: unknown domain"):
        decide(DecideSpec(domain="x"), today=TODAY)


@pytest.mark.usefixtures("middle_alone")
def test_the_users_own_prices_stand_over_the_packaged_ones(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text(
        "apis:\n  - {provider: openai, model: gpt-6-luna, usd_per_million_in: 100, usd_per_million_out: 500,"
        " source: a contract, observed_at: 2026-11-20}\n"
    )
    of = DecideSpec(api_model="gpt-6-luna", requests_per_month=1000)
    plain, dear = (decide(of, today=TODAY, user_prices=folder) for folder in (None, tmp_path))
    one, two = (next(c for c in r.costs if c.arm == "prompt, api") for r in (plain, dear))
    assert two.month_usd.median == pytest.approx(1000 * one.month_usd.median)
    assert plain.facts.sha256 != dear.facts.sha256


def test_answers_become_a_spec_that_can_be_decided(tmp_path: Path) -> None:
    path = ask(lambda question, complaint: "unknown", tmp_path / "bot.yaml")
    assert decide_file(path, today=TODAY).verdict == "too close, measure"


def test_a_spec_is_never_overwritten_and_nobody_is_asked_for_nothing(tmp_path: Path) -> None:
    path = tmp_path / "bot.yaml"
    path.write_text("mine")

    def reply(question: object, complaint: str) -> str:
        raise AssertionError("asked")

    with pytest.raises(SpecError, match="is already there"):
        ask(reply, path)
    assert path.read_text() == "mine"


def test_an_interview_that_is_broken_off_writes_nothing(tmp_path: Path) -> None:
    def reply(question: object, complaint: str) -> str:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ask(reply, tmp_path / "bot.yaml")
    assert list(tmp_path.iterdir()) == []


LEAST = {
    "fact_half_life_days": 0.001,
    "corpus_tokens": 0,
    "labelled_pairs": 0,
    "requests_per_month": 0,
    "tokens_in": 1,
    "tokens_out": 1,
    "latency_p95_ms": 5e-324,
    "once_budget_usd": 5e-324,
    "month_budget_usd": 5e-324,
    "effort_hours": 5e-324,
    "horizon_months": 1,
    "hardware": [
        {"name": "a", "memory_gib": 0.001, "bandwidth_gb_s": 0.001, "tflops": 0.001, "watts": 0.001}
    ],
}
MOST = {
    "fact_half_life_days": 1e9,
    "corpus_tokens": 10**12,
    "labelled_pairs": 10**9,
    "requests_per_month": 10**12,
    "tokens_in": 10**5,
    "tokens_out": 10**5,
    "latency_p95_ms": 1e9,
    "once_budget_usd": 1e9,
    "month_budget_usd": 1e9,
    "effort_hours": 1e9,
    "horizon_months": 120,
    "hardware": ["B200"] * 64,
}


@pytest.mark.parametrize("extremes", [LEAST, MOST], ids=["least", "most"])
@pytest.mark.usefixtures("few_cases")
def test_the_most_extreme_numbers_give_an_answer(extremes: dict[str, Any]) -> None:
    alone = [
        {key: extremes[key]} for key in ("fact_half_life_days", "requests_per_month", "hardware")
    ]
    for changes in (extremes, *alone):
        report = decide(DecideSpec.model_validate(changes), today=TODAY)
        assert sum(report.win_shares.values()) + report.none_share == pytest.approx(1)
        assert json.loads(report.model_dump_json())


@pytest.mark.usefixtures("middle_alone")
def test_a_page_is_written(tmp_path: Path) -> None:
    write_page(decide(DecideSpec(), today=TODAY), tmp_path / "decide.html")
    assert (tmp_path / "decide.html").read_text().startswith("<!DOCTYPE html>")


@pytest.mark.usefixtures("middle_alone")
def test_the_oldest_fact_is_named_and_how_it_becomes_new() -> None:
    report = decide(DecideSpec(on_premise_only=True), today=TODAY)
    (told,) = (p for p in report.problems if "oldest fact" in p.message)
    assert re.match(
        r"the oldest fact this rests on was seen 2026-\d\d-\d\d, over 45 days old: ", told.message
    )
    assert "Machine: " in told.message
    assert "finewright catalog import FILE" in told.hint


@pytest.mark.parametrize(("day", "is_known"), [("2025-11-01", True), ("2025-10-31", False)])
@pytest.mark.usefixtures("middle_alone")
def test_a_day_before_the_oldest_fact_has_no_answer(day: str, is_known: bool) -> None:
    if is_known:
        assert decide(DecideSpec(), today=date.fromisoformat(day)).today == date(2025, 11, 1)
        return
    with pytest.raises(
        DataError, match="is before the oldest fact of the catalog, seen 2025-11-01"
    ):
        decide(DecideSpec(), today=date.fromisoformat(day))


def test_where_most_other_draws_leave_nothing_the_answer_says_so() -> None:
    """On-premise without a machine no arm can be, and whether it must stay there is unknown."""
    unknown = DecideSpec(hardware="none", corpus_tokens=0, month_budget_usd=5, tokens_in=600)
    report = decide(unknown, today=TODAY)
    assert report.none_share > 0.25
    assert f", and in {100 * report.none_share:.1f} % no option is left" in report.answer
