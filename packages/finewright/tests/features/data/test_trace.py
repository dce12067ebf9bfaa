"""A run's ledger is asked by the run's folder."""

import re
from pathlib import Path

import pytest

from finewright.errors import StoreError
from finewright.features.data.trace import trace, without

from .test_row_page import GOOD, line, run_of


def test_a_row_and_a_source_are_found_by_the_runs_folder(tmp_path: Path) -> None:
    data = tmp_path / "a.jsonl"
    data.write_text(GOOD + line(prompt="When?", completion="At noon."))
    run = run_of(data, tmp_path / "runs").root
    assert [(e.file, e.row) for e in trace(run, "2").entries] == [("a.jsonl", 2)]
    left = without(run, "a.jsonl")
    assert (left.rows_removed, left.train) == (2, ())


@pytest.mark.parametrize("edit", ["owner", "line"])
def test_an_edited_ledger_is_not_shown_as_true(tmp_path: Path, edit: str) -> None:
    data = tmp_path / "a.jsonl"
    data.write_text(GOOD + line(prompt="When?", completion="At noon."))
    run = run_of(data, tmp_path / "runs").root
    ledger = run / "data" / "ledger.jsonl"
    lines = ledger.read_text().splitlines(keepends=True)
    if edit == "owner":
        lines[1] = re.sub(r'"owner":"[^"]*"', '"owner":"nobody"', lines[1])
    else:
        del lines[1]
    assert "".join(lines) != ledger.read_text()
    ledger.write_text("".join(lines))
    for ask in (lambda: trace(run, "1"), lambda: without(run, "a.jsonl")):
        with pytest.raises(StoreError, match="not the one that was recorded") as refused:
            ask()
        assert refused.value.hint == f"finewright verify {run} says what changed"


def test_a_folder_that_is_no_run_is_said(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="no run folder"):
        trace(tmp_path, "1")
