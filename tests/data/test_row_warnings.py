"""Repeats are told once, at the first; a row that holds several is no repeat of itself."""

import hashlib

from finewright.data.row_warnings import ExactRepeats
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
