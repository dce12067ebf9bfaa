"""The answers log: what was said is there again, what was cut is not, and what is damaged is named."""

from pathlib import Path

import pytest

from finewright.errors import StoreError
from finewright.schema.common import Model
from finewright.store.answers import AnswerKey, AnswersLog

ONE, TWO = (AnswerKey("model", row, "settings") for row in ("one", "two"))


class Said(Model):
    text: str
    milliseconds: float = 20.0


def opened(path: Path) -> AnswersLog[Said]:
    return AnswersLog(path, Said)


def test_what_was_said_is_there_in_the_next_process(tmp_path: Path) -> None:
    path = tmp_path / "answers.jsonl"
    opened(path).add([(ONE, Said(text="yes\u2028no\ud800"))])
    opened(path).add([(TWO, Said(text="no"))])
    again = opened(path)
    assert again[ONE] == Said(text="yes\u2028no\ud800")
    assert TWO in again
    assert ONE._replace(settings="others") not in again
    assert path.read_bytes().count(b"\n") == 2


@pytest.mark.parametrize("cut", [1, 5, 60])
def test_a_line_that_a_kill_cut_is_no_answer_and_is_written_again(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "answers.jsonl"
    opened(path).add([(ONE, Said(text="yes")), (TWO, Said(text="no"))])
    whole = path.read_bytes()
    path.write_bytes(whole[:-cut])
    log = opened(path)
    assert ONE in log
    assert TWO not in log
    log.add([(TWO, Said(text="no"))])
    assert path.read_bytes() == whole


@pytest.mark.parametrize(
    "line",
    [
        "{}",
        "[]",
        "",
        "no JSON",
        '{"system": "m", "row": "r", "settings": "s", "reply": {"text": 1}}',
    ],
)
def test_a_damaged_line_is_named(tmp_path: Path, line: str) -> None:
    path = tmp_path / "answers.jsonl"
    opened(path).add([(ONE, Said(text="yes"))])
    path.write_text(f"{line}\n{path.read_text()}")
    with pytest.raises(StoreError, match=r"answers.jsonl:1: is no answer"):
        opened(path)
