"""The questions on the terminal: asked on stderr with their reason, answered on stdin."""

import io
import sys

import pytest

from finewright.cli.decide import reply
from finewright.decide.questions import QUESTIONS


def test_a_question_is_asked_with_its_reason_and_its_answer_is_read(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("2\n"))
    assert reply(QUESTIONS[0], "").strip() == "2"
    shown = capsys.readouterr()
    assert shown.out == ""
    assert QUESTIONS[0].text in shown.err
    assert QUESTIONS[0].why in shown.err
    assert "or unknown" in shown.err


def test_a_complaint_is_shown_and_the_end_of_the_input_is_no_answer(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(""))
    assert reply(QUESTIONS[0], "that cannot be") == ""
    assert "that cannot be" in capsys.readouterr().err
