"""The questions on the terminal: asked on stderr with their reason, answered on stdin."""

import io
import sys
from pathlib import Path

import pytest

from cli.conftest import Finewright
from finewright.catalog.prices import own_folder
from finewright.cli import output
from finewright.commands import decide
from finewright_advice.decide.commands import question_text
from finewright_advice.decide.questions import QUESTIONS

DECISION = "name: bot\ndecide: {knowledge_gap: 1}\n"


def test_a_question_is_asked_with_its_reason_and_its_answer_is_read(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("2\n"))
    assert output.ask(question_text(QUESTIONS[0], "")).strip() == "2"
    shown = capsys.readouterr()
    assert shown.out == ""
    assert QUESTIONS[0].text in shown.err
    assert QUESTIONS[0].why in shown.err
    assert shown.err.endswith(
        f"  such as {QUESTIONS[0].example}; Enter: unknown (any: the widest ranges of difficulty and of"
        " labelling time) > "
    )


def test_a_complaint_is_shown_and_the_end_of_the_input_is_no_answer(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(""))
    assert output.ask(question_text(QUESTIONS[0], "that cannot be")) == ""
    assert "that cannot be" in capsys.readouterr().err


def test_where_nobody_answers_no_spec_is_written(
    finewright: Finewright, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(""))
    found = finewright("decide")
    assert found.code == 2
    assert "error: nobody answers: the input is empty\n hint: " in found.err
    assert not (project / "decide.yaml").exists()


@pytest.mark.usefixtures("middle_alone")
def test_answers_from_a_pipe_are_taken_and_what_is_left_is_unknown(
    finewright: Finewright, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("\n\n2\n"))
    found = finewright("decide")
    assert found.code == 0
    assert (
        "The input ended before labels was answered: that and all that was not asked" in found.err
    )
    written = (project / "decide.yaml").read_text()
    assert "knowledge_gap: unknown" in written
    assert "behaviour_gap: 2" in written
    assert "# The input ended here" in written


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--html", "d.yaml"), "d.yaml: this is d.yaml, which is read and never written to"),
        (("--html", "mine.html"), "mine.html: already there"),
        (("--html", "."), ".: is a folder, and a page is a file"),
        (("--html", "no/page.html"), "no/page.html: there is no folder no"),
        (("--prices", "no"), "--prices no: no such folder"),
        (("--prices", "d.yaml"), "--prices d.yaml: is a file"),
        (("--measure", "--html", "."), ".: is a folder, and a page is a file"),
        (("--measure", "--prices", "no"), "--prices no: no such folder"),
        (
            ("--measure", "--today", "2026-11-25"),
            "Invalid value: `finewright decide --measure` does not use --today",
        ),
        (("--runs", "elsewhere"), "Invalid value: `finewright decide` does not use --runs"),
        (
            ("--today", "1900-01-01"),
            "today, 1900-01-01, is before the oldest fact of the catalog, seen 2025-11-01",
        ),
    ],
)
def test_a_place_or_a_day_that_cannot_be_is_one_line(
    finewright: Finewright, project: Path, arguments: tuple[str, ...], told: str
) -> None:
    (project / "d.yaml").write_text(DECISION)
    (project / "mine.html").write_text("<html>mine</html>")
    found = finewright("decide", "d.yaml", *arguments)
    assert (found.code, found.out) == (2, "")
    assert found.err.startswith(f"error: {told}\n hint: ")
    assert len(found.err.splitlines()) == 2
    assert (project / "d.yaml").read_text() == DECISION
    assert (project / "mine.html").read_text() == "<html>mine</html>"


@pytest.mark.usefixtures("middle_alone")
def test_a_page_of_an_earlier_decision_is_replaced(finewright: Finewright, project: Path) -> None:
    (project / "d.yaml").write_text(DECISION)
    first, second = (finewright("decide", "d.yaml", "--html", "page.html") for _ in range(2))
    assert (first.code, second.code) == (0, 0)


def test_a_bake_off_writes_its_page_over_nothing_of_yours(
    finewright: Finewright, project: Path
) -> None:
    before = (project / "spec.yaml").read_text()
    found = finewright("bakeoff", "spec.yaml", "--html", "spec.yaml")
    assert found.code == 2
    assert "which is read and never written to" in found.err
    assert (project / "spec.yaml").read_text() == before


DEAR = """apis:
  - {provider: openai, model: gpt-6-luna, usd_per_million_in: 100, usd_per_million_out: 500,
     source: a contract, observed_at: 2026-11-20}
"""


@pytest.mark.usefixtures("middle_alone")
def test_your_own_prices_count_wherever_prices_do(finewright: Finewright, project: Path) -> None:
    (project / "d.yaml").write_text(
        "name: bot\ndecide: {api_model: gpt-6-luna, requests_per_month: 1000}\n"
    )
    (project / "empty").mkdir()

    def month(*arguments: str) -> float:
        costs = finewright("decide", "d.yaml", "--json", *arguments).json["costs"]
        return next(c["month_usd"]["median"] for c in costs if c["arm"] == "prompt, api")

    plain = month()
    own = own_folder()
    own.mkdir(parents=True)
    (own / "mine.yaml").write_text(DEAR)
    assert month() == pytest.approx(1000 * plain)
    assert month("--prices", "empty") == plain
    (found,) = (c for c in decide("d.yaml").costs if c.arm == "prompt, api")
    assert found.month_usd.median == pytest.approx(1000 * plain)


@pytest.mark.parametrize("home", ["conf", ""])
def test_your_own_prices_lie_where_your_configuration_does(
    project: Path, monkeypatch: pytest.MonkeyPatch, home: str
) -> None:
    config = str(project / home) if home else "relative"
    monkeypatch.setenv("XDG_CONFIG_HOME", config)
    base = project / home if home else Path.home() / ".config"
    assert own_folder() == base / "finewright" / "prices.d"
    assert own_folder(Path("mine")) == Path("mine")
