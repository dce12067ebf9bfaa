"""`finewright bench` with bad input: one clear line, exit code 2, and no report."""

import pytest

from .conftest import Finewright, Result


def first_line(result: Result) -> str:
    assert (result.code, result.out) == (2, "")
    return result.err.splitlines()[0]


def test_an_unknown_model_is_one_line(finewright: Finewright) -> None:
    line = first_line(finewright("bench", "smollm2-135m"))
    assert line == (
        "error: unknown base model 'smollm2-135m'; did you mean 'smollm2-135m-instruct'?"
    )


def test_a_missing_data_file_is_one_line(finewright: Finewright) -> None:
    assert first_line(finewright("bench", "--data", "nowhere.jsonl")) == (
        "error: nowhere.jsonl: there is no such file (did you mean rows.jsonl?)"
    )


def test_an_unreadable_row_is_named_by_its_line(finewright: Finewright) -> None:
    from pathlib import Path

    Path("rows.jsonl").write_text('{"prompt": "Q", "completion": "A"}\n{"prompt": \n')
    line = first_line(finewright("bench", "--data", "rows.jsonl"))
    assert line.startswith("error: rows.jsonl:2: broken JSON at column")


@pytest.mark.torch
def test_too_few_rows_are_one_line_with_the_mend(finewright: Finewright, tiny_folder: str) -> None:
    ended = finewright("bench", str(tiny_folder), "--data", "rows.jsonl", "--steps", "4")
    assert first_line(ended) == "loading the model runtime"
    assert ended.err.splitlines()[1:] == [
        "error: rows.jsonl: 1 of 1 rows have at most 1024 tokens, and 4 steps of 8 rows need 32",
        " hint: lower --steps or --batch-size, or raise --max-length",
    ]


def test_one_step_is_too_few(finewright: Finewright) -> None:
    assert first_line(finewright("bench", "--steps", "1")).startswith("error: --steps 1: the first")
