"""The words of `finewright migrate openai` as the workbench takes them; the exit code tells parity."""

from datetime import date
from pathlib import Path
from types import SimpleNamespace

import pytest

from cli.conftest import Finewright
from finewright.cli import output
from finewright_bridge.migrate import openai as migrate
from finewright_bridge.migrate.openai import Migration


@pytest.mark.parametrize(("passed", "code"), [(True, 0), (False, 2)])
def test_every_word_arrives_and_the_exit_code_is_the_verdict(
    finewright: Finewright, monkeypatch: pytest.MonkeyPatch, passed: bool, code: int
) -> None:
    calls = []

    def run(asked: Migration, runs: Path, *, today: date, on_event: object) -> SimpleNamespace:
        calls.append((asked, runs))
        return SimpleNamespace(passed=passed)

    monkeypatch.setattr(migrate, "migrate", run)
    monkeypatch.setattr(output, "show", lambda *_, **__: None)
    words = "openai --files a.jsonl --files b.jsonl --golden g.jsonl --metric rouge_l --margin 0.1"
    more = "--job j.json --validation v.jsonl --set train.epochs=1 --runs r --golden-rows 7"
    assert finewright("migrate", *words.split(), *more.split()).code == code
    asked = Migration(
        files=(Path("a.jsonl"), Path("b.jsonl")),
        golden="g.jsonl",
        folder=Path("migration"),
        base_model="smollm2-135m-instruct",
        job=Path("j.json"),
        validation=Path("v.jsonl"),
        metrics=("rouge_l",),
        margin=0.1,
        golden_rows=7,
        overrides=("train.epochs=1",),
    )
    assert calls == [(asked, Path("r"))]
