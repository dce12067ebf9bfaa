"""The command line as a user meets it: `main()` with arguments, in a folder of the test's own."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from e2e.processes import Result
from finewright.cli.main import main

GOOD = '{"messages": [{"role": "user", "content": "Q"}, {"role": "assistant", "content": "A"}]}\n'
SPEC = """\
name: bot
base_models: [smollm2-135m-instruct]
data:
  sources:
    - path: rows.jsonl
evaluate:
  data: [{path: test.jsonl}]
"""
Finewright = Callable[..., Result]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with a good spec and good rows."""
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "spec.yaml").write_text(SPEC)
    (folder / "rows.jsonl").write_text(GOOD)
    (folder / "test.jsonl").write_text(GOOD.replace("Q", "Where"))
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def finewright(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Finewright:
    """Run a command in the project folder."""

    def run(*arguments: str) -> Result:
        monkeypatch.setattr(sys, "argv", ["finewright", *arguments])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = capsys.readouterr()
        return Result(int(ended.value.code or 0), out, err)

    return run
