"""A conversation in a terminal remembers, until it is told to begin anew."""

import io
from pathlib import Path

import pytest

from finewright.cli.talk import talk
from finewright.workbench.chat import Manner
from finewright.workbench.systems import load_system

pytestmark = pytest.mark.torch


class Terminal(io.StringIO):
    """Lines that somebody types."""

    def isatty(self) -> bool:
        return True


def test_reset_begins_a_new_conversation(
    tiny_folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    model = load_system(str(tiny_folder))
    manner = Manner(max_new_tokens=6, temperature=0.0, seed=0)

    def typed(*lines: str) -> str:
        monkeypatch.setattr("sys.stdin", Terminal("".join(f"{line}\n" for line in lines)))
        talk(model, manner, system="", prompt="")
        return capsys.readouterr().out

    once = typed("the red 100")
    assert typed("the red 100", "/reset", "the red 100") == 2 * once
    assert typed("the red 100", "/help", "the red 100") != 2 * once
