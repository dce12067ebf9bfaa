"""`predict` answers every row of a file as `chat` would, and goes on where it was cut."""

import csv
import json
from pathlib import Path
from typing import Any

import pandas
import pytest

from .conftest import WORDS, Finewright, write_jsonl
from .processes import Result

pytestmark = pytest.mark.torch
COLUMN = ("--column", "prompt=utterance")


@pytest.fixture
def questions(project: Path) -> Path:
    """Ten rows without answers, by a name of their own."""
    asked = [f"the {WORDS[i % len(WORDS)]} {i}" for i in range(10)]
    write_jsonl(project / "q.jsonl", [{"utterance": text, "id": i} for i, text in enumerate(asked)])
    return project / "q.jsonl"


@pytest.fixture
def predict(finewright: Finewright, questions: Path) -> Any:
    def run(*more: str, out: str = "a.jsonl") -> Result:
        short = ("--max-new-tokens", "6", "--batch-size", "4")
        told = (*COLUMN, *short, "--out", out, *more)
        return finewright("predict", "./base", questions.name, *told)

    return run


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_every_row_gets_the_answer_that_chat_gives(
    predict: Any, project: Path, finewright: Finewright
) -> None:
    ended = predict("--json", "--batch-size", "1")  # in bfloat16 a batch may round otherwise
    assert ended.code == 0, ended.err
    found = lines(project / "a.jsonl")
    assert [line["row"] for line in found] == list(range(1, 11))
    assert ended.json["rows"] == 10
    assert ended.json["num_cut"] == sum(not line["ended"] for line in found)
    for number in (0, 5, 9):
        asked = f"the {WORDS[number % len(WORDS)]} {number}"
        said = finewright("chat", "./base", "-p", asked, "--max-new-tokens", "6").out
        assert found[number]["answer"] == said.removesuffix("\n")


@pytest.mark.parametrize("cut", [0, 37, 0.45, 0.99])
def test_a_file_that_was_cut_ends_up_with_the_same_bytes(
    predict: Any, project: Path, cut: float
) -> None:
    done = predict()
    assert done.code == 0
    assert "./base answers q.jsonl: 10/10" in done.err
    path = project / "a.jsonl"
    whole = path.read_bytes()
    path.write_bytes(whole[: int(cut * len(whole)) if cut < 1 else int(cut)])
    again = predict("--json")
    assert (again.code, path.read_bytes()) == (0, whole)
    assert again.json["rows_answered_before"] < 10
    assert predict("--json").json["rows_answered_before"] == 10
    assert path.read_bytes() == whole


def test_a_file_of_other_settings_is_not_gone_on_with(predict: Any, project: Path) -> None:
    assert predict().code == 0
    before = (project / "a.jsonl").read_bytes()
    refused = predict("--batch-size", "5")
    assert refused.code == 2
    assert refused.err.startswith(
        "error: a.jsonl: begun with other settings: batch_size was 4 and is 5\n"
    )
    with (project / "q.jsonl").open("a") as file:
        file.write('{"utterance": "one more"}\n')
    refused = predict()
    assert "begun with other settings: different rows (rows_sha256 was" in refused.err
    assert (project / "a.jsonl").read_bytes() == before


def test_what_failed_before_its_first_line_may_be_asked_in_another_way(
    predict: Any, project: Path
) -> None:
    refused = predict("--max-new-tokens", "100000")
    assert refused.code == 2
    assert "lower --max-new-tokens" in refused.err
    assert predict().code == 0
    assert len(lines(project / "a.jsonl")) == 10


def test_rows_of_a_folder_that_changed_are_not_gone_on_with(
    predict: Any, project: Path, finewright: Finewright
) -> None:
    (project / "rows").mkdir()
    path = project / "rows/q.jsonl"
    write_jsonl(path, [{"prompt": "one"}, {"prompt": "two"}])
    told = ("predict", "./base", "rows", "--max-new-tokens", "4", "--out", "b.jsonl")
    ended = finewright(*told)
    assert ended.code == 0, ended.err
    write_jsonl(path, [{"prompt": "one"}, {"prompt": "three"}])
    refused = finewright(*told)
    assert refused.code == 2
    assert "begun with other settings: different rows (rows_sha256" in refused.err


def test_a_file_of_the_users_is_never_written(predict: Any, project: Path) -> None:
    before = (project / "q.jsonl").read_bytes()
    refused = predict(out="q.jsonl")
    assert (refused.code, refused.err.splitlines()[0]) == (2, "error: q.jsonl: already there")
    assert (project / "q.jsonl").read_bytes() == before


def test_lines_that_somebody_changed_are_refused(predict: Any, project: Path) -> None:
    assert predict().code == 0
    path = project / "a.jsonl"
    path.write_text("".join(reversed(path.read_text().splitlines(keepends=True))))
    refused = predict()
    assert refused.code == 2
    assert refused.err.startswith("error: a.jsonl:1: is not the answer to q.jsonl:1")


def test_rows_that_cannot_be_read_are_named_before_anything_is_written(
    project: Path, finewright: Finewright
) -> None:
    write_jsonl(project / "bad.jsonl", [{"utterance": "hello"}, {"other": 1}])
    refused = finewright("predict", "./base", "bad.jsonl", *COLUMN, "--out", "b.jsonl")
    assert refused.code == 2
    assert "bad.jsonl:2" in refused.err
    assert not list(project.glob("b.jsonl*"))


def test_texts_alone_are_refused_with_the_option_that_asks_them(
    project: Path, finewright: Finewright
) -> None:
    write_jsonl(project / "texts.jsonl", [{"text": "hello"}] * 9)
    refused = finewright("predict", "./base", "texts.jsonl", "--out", "b.jsonl")
    assert refused.code == 2
    assert refused.err == (
        "error: texts.jsonl:1: text: plain text: nobody asks and nobody answers; and 8 more rows"
        " (--column prompt=text asks what is in it)\n"
    )


def test_a_limit_is_drawn_and_said(predict: Any, project: Path) -> None:
    ended = predict("--limit", "3", "--seed", "1")
    assert "q.jsonl: 3 of 10 rows, sampled by seed 1" in ended.out.splitlines()
    rows = [line["row"] for line in lines(project / "a.jsonl")]
    assert len(rows) == 3
    assert rows == sorted(rows)


def test_a_conversation_that_ends_with_the_user_is_answered(
    finewright: Finewright, project: Path
) -> None:
    turns = [("user", "the red 1"), ("assistant", "answer red"), ("user", "the blue 2")]
    messages = [{"role": role, "content": text} for role, text in turns]
    write_jsonl(project / "m.jsonl", [{"messages": messages}, {"messages": messages[2:]}])
    write_jsonl(project / "p.jsonl", [{"prompt": messages}, {"prompt": messages[2:]}])
    for name in ("m", "p"):
        short = ("--out", f"{name}.out", "--max-new-tokens", "6")
        assert finewright("predict", "./base", f"{name}.jsonl", *short).code == 0
    asked, same = (lines(project / f"{name}.out") for name in ("m", "p"))
    assert [line["answer"] for line in asked] == [line["answer"] for line in same]


def test_the_columns_asked_for_stand_beside_the_answers_in_every_form(
    predict: Any, project: Path
) -> None:
    rows = [{"utterance": f"the red {i}", "id": f"t{i}", "channel": ["mail"]} for i in range(3)]
    write_jsonl(project / "q.jsonl", rows)
    for out in ("a.jsonl", "a.csv", "a.parquet"):
        ended = predict("--keep", "channel", out=out)
        assert ended.code == 0, ended.err
    found = lines(project / "a.jsonl")
    assert [(line["id"], line["channel"]) for line in found] == [
        (f"t{i}", ["mail"]) for i in range(3)
    ]
    with (project / "a.csv").open(newline="") as file:
        table = list(csv.DictReader(file))
    assert [row["answer"] for row in table] == [line["answer"] for line in found]
    assert [(row["id"], row["channel"]) for row in table] == [
        (f"t{i}", '["mail"]') for i in range(3)
    ]
    same = pandas.read_parquet(project / "a.parquet")
    assert list(same["id"]) == ["t0", "t1", "t2"]
    assert [list(each) for each in same["channel"]] == [["mail"]] * 3
    assert list(same["answer"]) == [line["answer"] for line in found]
    assert {path.name for path in project.glob("a.*")} >= {"a.csv", "a.parquet"}
    assert not list(project.glob("a.csv.*"))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("channel", "q.jsonl:1: --keep channel: the row has no such column"),
        ("answer", "--keep answer: an answer has a value of that name"),
    ],
)
def test_a_column_that_cannot_be_kept_is_refused_before_a_row_is_answered(
    predict: Any, project: Path, name: str, message: str
) -> None:
    ended = predict("--keep", name)
    assert (ended.code, ended.err.splitlines()[0]) == (2, f"error: {message}")
    assert not (project / "a.jsonl").exists()
