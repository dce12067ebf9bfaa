"""The answers log: what was said is there again, what was cut is not, and what is damaged is named."""

import json
from pathlib import Path

import pytest

from finewright.errors import StoreError
from finewright.schema.evaluate import Sample
from finewright.store.answers import AnswerKey, AnswersLog, Reply

ONE, TWO = (AnswerKey("model", row, "settings") for row in ("one", "two"))


def reply(answer: str) -> Reply:
    sample = Sample(
        system="s",
        data="d",
        row=1,
        prompt="Q",
        expected="A",
        answer=answer,
        stopped=True,
        scores={},
    )
    return Reply(sample=sample, nll=1.5, milliseconds=20.0)


def test_what_was_said_is_there_in_the_next_process(tmp_path: Path) -> None:
    path = tmp_path / "answers.jsonl"
    log = AnswersLog(path)
    log.add([(ONE, reply("yes\u2028no")), (TWO, reply("no"))])
    again = AnswersLog(path)
    assert again[ONE] == log[ONE] == reply("yes\u2028no")
    assert TWO in again
    assert ONE._replace(settings="others") not in again
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line]
    assert [line["row"] for line in lines] == ["one", "two"]


@pytest.mark.parametrize("cut", [1, 5, 60])
def test_a_line_that_a_kill_cut_is_no_answer_and_is_written_again(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "answers.jsonl"
    AnswersLog(path).add([(ONE, reply("yes")), (TWO, reply("no"))])
    whole = path.read_bytes()
    path.write_bytes(whole[:-cut])
    log = AnswersLog(path)
    assert ONE in log
    assert TWO not in log
    log.add([(TWO, reply("no"))])
    assert path.read_bytes() == whole


def test_a_damaged_line_is_named(tmp_path: Path) -> None:
    path = tmp_path / "answers.jsonl"
    AnswersLog(path).add([(ONE, reply("yes"))])
    path.write_text("{}\n" + path.read_text())
    with pytest.raises(StoreError, match=r"answers.jsonl:1: is no reply"):
        AnswersLog(path)
