"""A key that is nearly one of a format is taken for a slip of the pen, and no other is."""

import pytest

from finewright.rows.formats.native import find_misspelled
from finewright.rows.notes import RowNotes
from finewright.rows.shapes import form_of


@pytest.mark.parametrize(
    ("row", "key", "meant"),
    [
        ({"instrution": "Q", "output": "A"}, "instrution", "instruction"),
        ({"instruction": "Q", "outputs": "A"}, "outputs", "output"),
        ({"query": "Q", "responce": "A"}, "responce", "response"),
    ],
)
def test_a_slip_of_the_pen_is_told(row: dict[str, str], key: str, meant: str) -> None:
    assert find_misspelled(row) == (key, meant)
    notes = RowNotes("f", 1)
    assert form_of(row, "auto", "auto", notes) is None
    assert notes.problems[0].hint == f"did you mean `{meant}` by `{key}`? rename the key"


@pytest.mark.parametrize(
    "row",
    [
        {},
        {"prompt": "Q", "Completion": "A"},
        {"question": "Q", "answer": "A"},
        {"instruction": "Q", "input": ""},
        {"instruction": "Q", "output": "A"},
        {"instrution": "Q"},
    ],
)
def test_other_keys_are_no_slips(row: dict[str, str]) -> None:
    assert find_misspelled(row) is None
