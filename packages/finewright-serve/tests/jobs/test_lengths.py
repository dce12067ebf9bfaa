"""Rows that are too long are found, and named, before a job is made."""

from dataclasses import replace
from pathlib import Path

import pytest

import tiny
from finewright.rows.containers.card import StatedFile
from finewright.rows.containers.lines import lines_of
from finewright.schema.train_section import METHODS
from finewright_serve.gateway.errors import ApiError
from finewright_serve.gateway.steps import QuestionCaller
from finewright_serve.jobs.creation import JobFolders, checked_job
from finewright_serve.jobs.lengths import check_lengths, fitting_bytes, long_lines
from finewright_serve.jobs.request import JobRequest

from .conftest import CHAT, Api, lines
from .test_columns import CHECK

pytestmark = pytest.mark.torch

WHERE = "method.supervised.hyperparameters"
LONG = {"messages": [{"role": r, "content": "the user " * 40} for r in ("user", "assistant")]}


def checked(path: Path, method: str = "sft", **train: object) -> None:
    settings = METHODS[method].model_validate({"method": method, **train})
    (long,) = long_lines(path, fitting_bytes(settings))
    check_lengths(StatedFile(path, "mine.jsonl"), long, tiny.tiny_chat(), settings, WHERE)


def test_rows_that_are_too_long_are_named(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_bytes(lines(CHAT, LONG, CHAT, *[LONG] * 6))
    with pytest.raises(ApiError) as caught:
        checked(path, max_length=100)
    shown = str(caught.value).splitlines()
    tokens = tiny.tiny_tokenizer().apply_chat_template(LONG["messages"])["input_ids"]
    assert caught.value.param == f"{WHERE}.max_length"
    assert shown[1] == f"mine.jsonl:2: {len(tokens)} tokens"
    assert [line.partition(": ")[0] for line in shown[2:6]] == [
        f"mine.jsonl:{number}" for number in (4, 5, 6, 7)
    ]
    assert shown[6] == "and 2 more"


@pytest.mark.parametrize(
    "train", [{"max_length": 100, "on_overlong": "drop"}, {"max_length": 1000}, {}]
)
def test_rows_that_fit_or_may_be_left_out_are_taken(
    tmp_path: Path, train: dict[str, object]
) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_bytes(lines(CHAT, LONG))
    checked(path, **train)


def test_a_file_is_read_once_for_columns_and_lengths(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = list[object]()

    def counted(chunks: object) -> object:
        read.append(chunks)
        return lines_of(chunks)  # type: ignore[arg-type] # as it is given

    monkeypatch.setattr("finewright_serve.jobs.lengths.lines_of", counted)
    training = replace(api.training, chat_of=lambda _: tiny.tiny_chat())
    rows = {"prompt": "the user " * 40, "solution": "A"}
    file = training.files.find(api.upload(lines(rows)), "training_file")
    posted = JobRequest.model_validate(
        {
            "model": "base",
            "training_file": file.id,
            "method": {
                "type": "ppo",
                "ppo": {"grader": CHECK, "hyperparameters": {"max_length": 9}},
            },
        }
    )
    with pytest.raises(ApiError, match="rows are longer than max_length, 9 tokens"):
        checked_job(
            QuestionCaller("", "admin", ""),
            posted,
            JobFolders(training.files, training.folder),
            training.bases,
            training.chat_of,
            now=0.0,
        )
    assert len(read) == 1


def test_a_row_is_as_long_as_its_method_takes_it(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_bytes(lines({"messages": [CHAT["messages"][0], LONG["messages"][1]]}))
    checked(path, "grpo", max_length=100, rewards=["exact"])
    with pytest.raises(ApiError, match="longer than max_length"):
        checked(path, max_length=100)


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        ([LONG] * 1001, "and at least 995 more"),
        ([LONG, {"messages": [{"role": "user", "content": "x" * (2 << 20)}]}], "and perhaps more"),
    ],
)
def test_what_was_not_looked_at_is_not_counted(
    tmp_path: Path, rows: list[dict[str, object]], says: str
) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_bytes(lines(*rows))
    with pytest.raises(ApiError, match=says):
        checked(path, max_length=100)
