"""Questions out of a file: what is right is read in order, what is wrong is said by its line."""

import json
from pathlib import Path

import pytest

from finewright.errors import DataError
from finewright_rag.search.question_file import read_questions
from finewright_rag.search.questions import Question


def write(tmp_path: Path, *rows: object) -> Path:
    path = tmp_path / "questions.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def test_questions_in_order_with_what_is_known_of_them(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        {"prompt": "How much?", "gold": ["b", "a", "b"], "completion": "5", "license": "MIT"},
        {"prompt": "When?", "gold": ["a"], "completion": None},
    )
    assert read_questions(path, {"a", "b"}) == [
        Question("How much?", ("b", "a"), "5"),
        Question("When?", ("a",)),
    ]


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"gold": ["a"]}, "`prompt` must be the text of a question"),
        ({"prompt": " ", "gold": ["a"]}, "`prompt` must be"),
        ({"prompt": "?"}, "`gold` must be a list of the ids"),
        ({"prompt": "?", "gold": []}, "`gold` must be a list of the ids"),
        ({"prompt": "?", "gold": "a"}, "`gold` must be a list of the ids"),
        ({"prompt": "?", "gold": ["a", 3]}, "`gold` must be a list of the ids"),
        ({"prompt": "?", "gold": ["a", "other"]}, "`gold` names 'other'"),
        ({"prompt": "?", "gold": ["a"], "completion": 5}, "`completion` must be text"),
        (["?"], "object"),
    ],
)
def test_a_wrong_line_is_said_with_its_number(tmp_path: Path, row: object, said: str) -> None:
    path = write(tmp_path, {"prompt": "?", "gold": ["a"]}, row)
    with pytest.raises(DataError) as raised:
        read_questions(path, {"a"})
    assert f"{path}:2" in str(raised.value)
    assert said in str(raised.value)
    assert "\n" not in str(raised.value)


def test_each_wrong_line_has_its_own(tmp_path: Path) -> None:
    path = write(tmp_path, {"gold": ["a"]}, {"prompt": "?", "gold": ["z"]})
    with pytest.raises(DataError) as raised:
        read_questions(path, {"a"})
    assert len(str(raised.value).splitlines()) == 2


def test_a_file_without_questions_and_one_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="the file is empty"):
        read_questions(write(tmp_path), {"a"})
    with pytest.raises(DataError, match="no such file"):
        read_questions(tmp_path / "other.jsonl", {"a"})


def test_half_a_line_is_no_question(tmp_path: Path) -> None:
    path = tmp_path / "questions.jsonl"
    path.write_text('{"prompt": "?", "gold": ["a"]}\n{"prompt": "?", "go', encoding="utf-8")
    with pytest.raises(DataError, match=r"questions\.jsonl:2"):
        read_questions(path, {"a"})
