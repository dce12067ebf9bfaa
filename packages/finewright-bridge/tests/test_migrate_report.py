"""What a migration's report says, on the terminal and on its page."""

from datetime import date

import pytest
from tests.report import made
from tests.report.pages import check_page

from finewright.report.show import html_of, text_of
from finewright.schema.common import Artifact, Problem, Source
from finewright.schema.evaluate import Score
from finewright_bridge.migrate.report import (
    Apart,
    Bound,
    Carried,
    Golden,
    MigrateReport,
    ParityTerms,
)


def score(system: str, value: float) -> Score:
    return made.score(system, value, low=value - 0.05, high=value, n=48)


@pytest.fixture
def report() -> MigrateReport:
    golden = Golden(
        file=Artifact(path="golden.jsonl", kind="golden", sha256="b" * 64, bytes=9),
        origin="recorded.jsonl", model="", rows=48, rows_expected=48,
    )  # fmt: skip
    bound = Bound(
        old=score("old", 0.95), new=score("new", 0.94), base=score("base", 0.1), bound=-0.034,
        difference=made.difference("new", "old", -0.01, room=0.03), rows_needed=40,
    )  # fmt: skip
    return MigrateReport(
        name="bot-migrated", old_model="ft:gpt-4o-mini:org:bot:x", base_model="smollm2-135m-instruct",
        deadlines=("2027-01-14, in 50 days: gpt-4o-mini: switched off",),
        carried=(
            Carried(setting="n_epochs", value="3", key="train.epochs", becomes="3", why="passes"),
            Carried(setting="learning_rate_multiplier", value="1.8", why="not published"),
        ),
        files=(Source(path="train.jsonl", sha256="a" * 64),), golden=golden,
        rows_read=98, rows_train=96, rows_removed={"same": 2}, run="runs/2026-11-25-bot",
        stated=ParityTerms(metrics=("json_f1",), margin=0.05, confidence=0.95, golden_sha256="b" * 64,
                      stated_on=date(2026, 11, 25)),
        against_expected=(bound,), agreement=(score("new", 0.9),), agreement_bound=0.81,
        verdict="parity", sentence="Parity is proved: json_f1 is within 5 points.",
        apart=(Apart(row=3, prompt="<b>what?</b>", expected="x", old="x", new="y\u202e"),),
        problems=(Problem(level="warning", file="job.json", key="status", message="is odd"),),
    )  # fmt: skip


def test_the_terminal_has_the_end_dates_the_settings_and_the_numbers(report):
    text = text_of(report)
    lines = text.splitlines()
    assert lines[:3] == [
        "2027-01-14, in 50 days: gpt-4o-mini: switched off",
        f"bot-migrated: {report.sentence}",
        "ft:gpt-4o-mini:org:bot:x -> smollm2-135m-instruct",
    ]
    assert lines[-1] == "warning: job.json: status: is odd"
    assert "serve it: finewright serve runs/2026-11-25-bot" in lines
    assert "no counterpart" in text
    assert "98 read, 96 trained on; 2 left out, as they are near golden prompts (same 2)" in text
    assert "-1.0 points (-4.0 to +2.0)" in text
    assert "-3.4" in text
    assert "the same answer to at least 81.0 % (one-sided 95 %)" in text


def test_the_page_has_the_same_and_shows_texts_harmless(report):
    text = check_page(html_of(report)).text
    for said in (
        "2027-01-14",
        "no counterpart",
        "-1.0 points (-4.0 to +2.0)",
        report.sentence,
        "b" * 64,
    ):
        assert said in text
    assert "<b>what?" in text
    assert "\u202e" not in text


def test_what_is_not_there_has_no_section(report):
    bare = report.model_copy(
        update={"against_expected": (), "apart": (), "carried": (), "problems": (), "deadlines": ()}
    )
    page = html_of(bare)
    for title in ("Against the right answers", "Where they differ", "The job's settings"):
        assert f">{title}<" not in page
    assert "Against the right answers" not in text_of(bare)
