"""The data stage puts into the run exactly the rows that later stages read, and refuses bad ones whole."""

import json
from pathlib import Path
from typing import Any

import pytest

from by_hand import context_of, run_in, spec_of
from finewright.data.stage import run
from finewright.errors import DataError
from finewright.schema.data import DataReport
from finewright.schema.rows import parse_rows
from finewright.store.atomic import sha256_file
from finewright.store.stage import StageContext, StageResult


def context(folder: Path, data: dict[str, Any], evaluate: dict[str, Any]) -> StageContext:
    return context_of(folder, run_in(folder), spec_of(data=data, evaluate=evaluate))


def write(path: Path, count: int, start: int = 0) -> None:
    numbers = range(start, start + count)
    path.write_text(
        "".join(json.dumps({"prompt": f"Q{i}", "completion": f"Ä{i}"}) + "\n" for i in numbers)
    )


def run_stage(
    folder: Path, data: dict[str, Any], *row_sets: dict[str, Any]
) -> tuple[StageResult, Path]:
    made = context(folder, data, {"data": row_sets})
    return run(made), made.run.root


def questions(path: Path) -> list[str]:
    return [row.messages[0]["content"] for row in parse_rows(path.read_text(encoding="utf-8"))]


def test_rows_and_row_sets_are_written_under_their_names(tmp_path: Path) -> None:
    write(tmp_path / "rows.jsonl", 3)
    write(tmp_path / "seen.jsonl", 2, start=10)
    write(tmp_path / "other.jsonl", 4, start=20)
    sets = [{"path": "seen.jsonl"}, {"path": "other.jsonl", "name": "never seen", "limit": 3}]
    result, root = run_stage(tmp_path, {"sources": [{"path": "rows.jsonl"}]}, *sets)
    assert questions(root / "data/train.jsonl") == ["Q0", "Q1", "Q2"]
    assert questions(root / "data/evaluate/seen.jsonl") == ["Q10", "Q11"]
    assert questions(root / "data/evaluate/never seen.jsonl") == ["Q20", "Q21", "Q23"]  # drawn
    assert [a.path for a in result.artifacts] == [
        "data/train.jsonl",
        "data/evaluate/seen.jsonl",
        "data/evaluate/never seen.jsonl",
        "data/ledger.jsonl",
        "data/card.json",
        "data/card.md",
        "data/personal_data.json",
    ]
    assert [a.sha256 for a in result.artifacts] == [
        sha256_file(root / a.path) for a in result.artifacts
    ]
    assert result.inputs == (sha256_file(tmp_path / "rows.jsonl"),)


def test_without_row_sets_the_held_out_share_is_what_is_measured(tmp_path: Path) -> None:
    write(tmp_path / "rows.jsonl", 40)
    data = {"sources": [{"path": "rows.jsonl"}], "eval_fraction": 0.25}
    result, root = run_stage(tmp_path, data)
    report = result.report
    assert isinstance(report, DataReport)
    held_out = questions(root / "data/eval.jsonl")
    assert questions(root / "data/evaluate/eval.jsonl") == held_out
    assert report.rows_eval == len(held_out) > 0
    assert report.rows_train == 40 - len(held_out)
    assert report.eval is not None


def test_an_error_in_any_file_refuses_all_and_writes_no_rows(tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_text('{"question": "Q"}\n')
    (tmp_path / "test.jsonl").write_text("{\n")
    made = context(
        tmp_path, {"sources": [{"path": "rows.jsonl"}]}, {"data": [{"path": "test.jsonl"}]}
    )
    with pytest.raises(DataError) as refused:
        run(made)
    first, second = str(refused.value).splitlines()
    assert "rows.jsonl:1: expected the keys" in first
    assert "test.jsonl:1: broken JSON" in second
    assert not (made.run.root / "data").exists()


def test_warnings_are_kept_in_the_report(tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_text('{"prompt": "Q", "completion": "A"}\n' * 2)
    result, _ = run_stage(tmp_path, {"sources": [{"path": "rows.jsonl"}]})
    assert isinstance(result.report, DataReport)
    assert [(p.level, p.row) for p in result.report.problems] == [("warning", 2)]


def test_held_out_prompts_are_measured_by_their_answers(tmp_path: Path) -> None:
    rows = [{"prompt": f"Q{i}", "answer": f"A{i}"} for i in range(40)]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    data = {"sources": [{"path": "rows.jsonl"}], "eval_fraction": 0.25}
    result, root = run_stage(tmp_path, data)
    kept, measured = (
        parse_rows((root / "data" / name).read_text())
        for name in ("eval.jsonl", "evaluate/eval.jsonl")
    )
    assert [row.messages[-1]["role"] for row in (kept[0], measured[0])] == ["user", "assistant"]
    assert [row.id for row in kept] == [row.id for row in measured]
    assert isinstance(result.report, DataReport)
    assert (result.report.types, result.report.problems) == ({"prompt_only": 40}, ())
