"""Repeats are told once, at the first; a row that holds several is no repeat of itself."""

import hashlib

import pytest

from finewright.data.row_warnings import ExactRepeats, note_broken_texts, warnings_of
from finewright.schema.rows import Row


def row(file: str, number: int, text: str) -> Row:
    messages = ({"role": "user", "content": text}, {"role": "assistant", "content": "A"})
    digest = hashlib.sha256(text.encode()).hexdigest()[:16]
    return Row(id=digest, messages=messages, tools=None, file=file, row=number)


def test_repeats_are_known_across_files_and_name_the_first() -> None:
    repeats = ExactRepeats()
    repeats.add([row("a", 1, "x"), row("a", 1, "x")])
    assert repeats.problems() == []
    for number in (1, 2):
        repeats.add([row("b", number, "x")])
    [told] = repeats.problems()
    assert (told.level, told.file, told.row) == ("warning", "b", 1)
    assert told.message == "2 rows repeat an earlier row exactly, this one a:1"


def wrongly_decoded(text: str, encoding: str = "cp1252") -> str:
    return text.encode().decode(encoding)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (wrongly_decoded("Gebühr"), "letters that were decoded wrongly"),
        (wrongly_decoded("l\u2019été"), "letters that were decoded wrongly"),
        (wrongly_decoded("привет"), "letters that were decoded wrongly"),
        (wrongly_decoded("可以退还", "latin-1"), "letters that were decoded wrongly"),
        ("Geb\ufffdhr", "letters that an earlier step lost"),
        ("### Instruction:\nIs it?\n\n### Response:\n", "the cue of a template"),
        ("Gebühr, café, «l'été», AÇÃO, SÃO, Þórður, Ð, 20 °C, naïve, ça, Å", ""),
        ("привет, можно ли вернуть? 可以退还吗 はい。 Ðatter", ""),
        ("What does ### Response: mean here?", ""),
    ],
)
def test_a_broken_text_is_said_and_a_sound_one_is_not(text: str, said: str) -> None:
    found = warnings_of([row("a", 1, text)], note_broken_texts)
    assert [said in problem.message for problem in found] == ([True] if said else [])


@pytest.mark.parametrize("value", ["nan", "#N/A"])
def test_an_answer_that_stands_for_a_missing_value_is_said_where_it_is_learned(value) -> None:
    turns = ({"role": "user", "content": value}, {"role": "assistant", "content": value})
    rows = [
        Row(id="0", messages=turns, tools=None, file="a", row=1),
        Row(id="0", messages=(turns[0], turns[1] | {"weight": 0}), tools=None, file="a", row=2),
    ]
    [found] = warnings_of(rows, note_broken_texts)
    assert (found.row, found.message) == (
        1,
        f"1 row answers what programs write for a missing value: {value}",
    )
