"""A page for a terminal, to the character."""

import pytest

from finewright.report.blocks import (
    Fold,
    Page,
    Plot,
    Point,
    Quote,
    Section,
    Table,
    Text,
    lines,
    section,
)
from finewright.report.text import as_text, is_numeric, table
from finewright.schema.common import Problem


def test_numbers_are_flush_right_and_words_flush_left() -> None:
    assert table(["name", "rows"], [["a", "5"], ["long name", "1,000"]]) == (
        "name        rows\na              5\nlong name  1,000"
    )


def test_an_empty_cell_does_not_make_a_column_of_numbers_words() -> None:
    assert table(["x", "num"], [["a", ""], ["b", "-5"]]) == "x  num\na\nb   -5"


@pytest.mark.parametrize(
    ("cell", "is_number"),
    [("98.3 % (91-100)", True), ("+1.5", True), ("< 0.001", True), ("135M", True), ("6 of 12", True),
     ("0-shot", False), ("12-shot", False), ("3fab", False), ("none", False)],
)  # fmt: skip
def test_a_number_has_no_word_in_it(cell: str, is_number: bool) -> None:
    assert is_numeric([cell, ""]) == is_number


def test_wide_characters_take_two_cells_and_marks_none() -> None:
    assert table(["x", "y"], [["日本", "a"], ["e\u0301", "b"], ["abcd", "c"]]) == (
        "x     y\n日本  a\ne\u0301     b\nabcd  c"
    )


def test_a_row_that_is_too_short_is_our_own_mistake() -> None:
    with pytest.raises(ValueError, match="shorter"):
        table(["a", "b"], [["1"]])


def test_a_page_has_problems_the_answer_and_its_sections() -> None:
    page = Page(
        subject="a test",
        title="bot",
        answer="good",
        about=("of 3 rows", "in runs/x"),
        problems=(Problem(level="warning", file="a.jsonl", row=3, message="odd"),),
        sections=[
            *section(
                "One",
                Text("first\nsecond"),
                Text("for the page", "page"),
                Plot("P", "bars", [Point("a", 1)]),
                Fold("closed", [Text("unseen")]),
                Table(("n",), [("1",)]),
                Table(("n",), []),
                Table(("m",), [("2",)], "titled"),
                Quote("a.jsonl:3", "said\nso"),
                Problem(level="error", message="wrong"),
            ),
            *section("Two", Text("a method"), is_for_page=True),
            *section("None", Table(("n",), []), None, lines("", "")),
            *section("Explained", Text("nothing but words of the page", "page")),
        ],
    )
    assert as_text(page) == (
        "warning: a.jsonl:3: odd\nbot: good\nof 3 rows\nin runs/x\n\n"
        "One\nfirst\nsecond\nn\n1\n\ntitled\nm\n2\na.jsonl:3\n    said\n    so\nerror: wrong"
    )


def test_no_text_can_move_the_cursor() -> None:
    act = "\x1b[2J\r\x07"
    blocks = [
        Text(act),
        Table((act,), [(act,)], act),
        Quote(act, act),
        Problem(level="info", message=act),
    ]
    text = as_text(Page("a test", act, act, (act,), sections=[Section(act, blocks)]))
    assert not {"\x1b", "\r", "\x07"} & set(text)
