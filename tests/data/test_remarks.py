"""Repeats are told once, at the first; a row that holds several is no repeat of itself."""

import hashlib

from finewright.data.remarks import Remarks
from finewright.schema.rows import Row


def row(file: str, number: int, text: str) -> Row:
    messages = ({"role": "user", "content": text}, {"role": "assistant", "content": "A"})
    digest = hashlib.sha256(text.encode()).hexdigest()[:16]
    return Row(id=digest, messages=messages, tools=None, file=file, row=number)


def test_repeats_are_known_across_files_and_name_the_first() -> None:
    remarks = Remarks()
    remarks.begin("a")
    remarks.add(1, [row("a", 1, "x"), row("a", 1, "x")])
    assert remarks.problems() == []
    remarks.begin("b")
    for number in (1, 2):
        remarks.add(number, [row("b", number, "x")])
    [told] = remarks.problems()
    assert (told.level, told.file, told.row) == ("warning", "b", 1)
    assert told.message == "2 rows repeat an earlier row exactly, this one a:1"
