"""A run's ledger is asked by the run's folder."""

from pathlib import Path

import pytest

from finewright.errors import StoreError
from finewright.workbench.data_trace import trace, without

from .test_data_report import GOOD, line, run_of


def test_a_row_and_a_source_are_found_by_the_runs_folder(tmp_path: Path) -> None:
    data = tmp_path / "a.jsonl"
    data.write_text(GOOD + line(prompt="When?", completion="At noon."))
    run = run_of(data, tmp_path / "runs").root
    assert [(e.file, e.row) for e in trace(run, "2").entries] == [("a.jsonl", 2)]
    left = without(run, "a.jsonl")
    assert (left.rows_removed, left.train) == (2, ())


def test_a_folder_that_is_no_run_is_said(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="no run folder"):
        trace(tmp_path, "1")
