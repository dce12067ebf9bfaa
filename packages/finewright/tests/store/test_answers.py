"""The answers log: what was said is there again, what was cut is not, and what is damaged is named."""

from pathlib import Path

import pytest

from finewright.errors import DataError, StoreError
from finewright.schema.common import Model
from finewright.store.answers import AnswerKey, AnswersLog

ONE, TWO = (AnswerKey("model", row, "settings") for row in ("one", "two"))

COUNTED = Path("/proc/self/io")


class Said(Model):
    text: str
    milliseconds: float = 20.0


def opened(path: Path) -> AnswersLog[Said]:
    return AnswersLog(path, Said)


def num_read() -> int:
    """The bytes that this process has read so far."""
    return int(COUNTED.read_text().split()[1])


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


def test_a_log_that_is_held_is_refused_to_others_until_it_is_released(tmp_path: Path) -> None:
    path = tmp_path / "answers.jsonl"
    with AnswersLog.hold(path, Said, hint="wait") as log:
        log.add([(ONE, Said(text="yes"))])
        with (
            pytest.raises(DataError, match=r"answers.jsonl: another process is writing it"),
            AnswersLog.hold(path, Said, hint="wait"),
        ):
            pass
        log.add([(TWO, Said(text="no"))])
    with AnswersLog.hold(path, Said, hint="wait") as again:
        assert ONE in again
        assert TWO in again
        again.remove()
    assert not path.exists()


def test_a_held_log_without_an_answer_leaves_no_file(tmp_path: Path) -> None:
    with AnswersLog.hold(tmp_path / "answers.jsonl", Said, hint="wait"):
        pass
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not COUNTED.is_file(), reason="this system does not count what is read")
def test_an_answer_is_added_without_reading_those_before_it(tmp_path: Path) -> None:
    path = tmp_path / "answers.jsonl"
    log = opened(path)
    log.add([(ONE, Said(text="x" * 3_000_000))])
    before = num_read()
    log.add([(TWO, Said(text="no"))])
    assert num_read() - before < 1_000_000
