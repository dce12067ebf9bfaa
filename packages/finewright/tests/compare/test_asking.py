"""Rows are asked once: in one call or in several, whoever was cut in between."""

from collections.abc import Iterator, Set
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from finewright.compare.asking import AnsweredBatch, RowAnswer, ask
from finewright.evaluate.measured import RowSet, Settings
from finewright.evaluate.score import ScoreOptions
from finewright.schema.evaluate import Sample
from finewright.schema.rows import Row
from finewright.store.answers import AnswersLog

pytestmark = pytest.mark.torch
SETTINGS = Settings(("exact_match",), 6, 2, ScoreOptions(0.95, 200, 0))

compare = pytest.importorskip("finewright_advice.compare.comparison").compare


class CutError(Exception):
    """Stands for a kill."""


@dataclass
class Parrot:
    """Answers what is asked, two rows at a time, and notes which; ends at the batch `cut_at`."""

    name: str = "parrot"
    key: str = "parrot-1"
    cut_at: int = -1
    asked: list[int] = field(default_factory=list)

    def answers(
        self, row_set: RowSet, settings: Settings, missing: Set[int]
    ) -> Iterator[AnsweredBatch]:
        for start in range(0, len(row_set.rows), 2):
            places = range(start, min(start + 2, len(row_set.rows)))
            if missing.isdisjoint(places):
                continue
            if start == self.cut_at:
                raise CutError
            self.asked += places
            yield AnsweredBatch(places, [self._answer(row_set.rows[i]) for i in places])

    def _answer(self, row: Row) -> RowAnswer:
        said = f"{row.messages[0]['content']}"
        return RowAnswer(
            sample=Sample(
                system=self.name,
                data="test",
                row=row.row,
                prompt=said,
                expected=str(row.messages[1]["content"]),
                answer=said,
                stopped=True,
                scores={},
            )
        )


def rows(*texts: str) -> RowSet:
    """The first half of each text is asked, the other expected."""
    return RowSet(
        "test",
        [
            Row(
                f"{i}",
                (
                    {"role": "user", "content": text[0]},
                    {"role": "assistant", "content": text[1]},
                ),
                None,
                "test.jsonl",
                i,
            )
            for i, text in enumerate(texts, 1)
        ],
    )


ROWS = rows("aa", "ab", "aa", "cc", "dd")


def nothing(*_: object) -> None:
    """No progress is shown."""


def test_an_asking_that_was_cut_goes_on_with_the_batch_that_it_was_in(tmp_path: Path) -> None:
    path = tmp_path / "answers.jsonl"
    with pytest.raises(CutError):
        ask(Parrot(cut_at=2), ROWS, SETTINGS, AnswersLog(path, RowAnswer), nothing)
    later = Parrot()
    found = ask(later, ROWS, SETTINGS, AnswersLog(path, RowAnswer), nothing)
    assert later.asked == [2, 3, 4]
    assert [sample.answer for sample in found.samples] == ["a", "a", "a", "c", "d"]
    assert [sample.row for sample in found.samples] == [1, 2, 3, 4, 5]
    whole = tmp_path / "whole.jsonl"
    ask(Parrot(), ROWS, SETTINGS, AnswersLog(whole, RowAnswer), nothing)
    assert path.read_bytes() == whole.read_bytes()
    third = Parrot()
    assert ask(third, ROWS, SETTINGS, AnswersLog(path, RowAnswer), nothing) == found
    assert third.asked == []


@pytest.mark.parametrize(
    ("key", "row_set", "settings", "asked"),
    [
        ("parrot-1", ROWS, SETTINGS, []),
        ("parrot-2", ROWS, SETTINGS, [0, 1, 2, 3, 4]),
        ("parrot-1", rows("aa", "ab", "aa", "xx", "dd"), SETTINGS, [2, 3]),
        ("parrot-1", ROWS, Settings(("exact_match",), 7, 2, SETTINGS.options), [0, 1, 2, 3, 4]),
        ("parrot-1", ROWS, Settings(("exact_match",), 6, 2, ScoreOptions(0.9, 300, 1)), []),
    ],
)
def test_what_is_another_question_is_asked(
    tmp_path: Path, key: str, row_set: RowSet, settings: Settings, asked: list[int]
) -> None:
    log = AnswersLog(tmp_path / "answers.jsonl", RowAnswer)
    ask(Parrot(), ROWS, SETTINGS, log, nothing)
    other = Parrot(key=key)
    ask(other, row_set, settings, log, nothing)
    assert other.asked == asked


def test_systems_are_compared_row_by_row(tmp_path: Path) -> None:
    log = AnswersLog(tmp_path / "answers.jsonl", RowAnswer)
    ours, theirs = Parrot("ours", "1"), Parrot("theirs", "2")
    found = compare([ours, theirs], ROWS, SETTINGS, "exact_match", log, nothing)
    assert found.score("ours").value == pytest.approx(4 / 5)
    assert found.difference("ours", "theirs").value == 0.0
    assert found.rank() == ["ours", "theirs"]
