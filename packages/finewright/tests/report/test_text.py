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
from finewright.report.columns import cells, is_numeric, table, wrap
from finewright.report.text import as_text
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
        "bot: good\nof 3 rows\nin runs/x\n\n"
        "One\nfirst\nsecond\nn\n1\n\ntitled\nm\n2\na.jsonl:3\n    said\n    so\nerror: wrong\n\n"
        "warning: a.jsonl:3: odd"
    )


def test_errors_stand_under_the_answer_and_details_only_where_everything_is_asked_for() -> None:
    page = Page(
        "a test",
        "bot",
        "bad",
        problems=(Problem(level="info", message="note"), Problem(level="error", message="wrong")),
        sections=[
            *section("Kept", Text("one")),
            *section("More", Text("two\nthree"), is_detail=True),
        ],
    )
    assert as_text(page, is_whole=False) == (
        "bot: bad\nerror: wrong\n\nKept\none\n\ninfo: note\n\n3 more lines: --all"
    )
    assert as_text(page) == "bot: bad\nerror: wrong\n\nKept\none\n\nMore\ntwo\nthree\n\ninfo: note"


def test_a_table_that_is_too_wide_wraps_words_and_keeps_numbers_whole() -> None:
    rows = [["a", "+16.9 points (+9.1 to +24.8)", "one two three four five six"]]
    assert table(["x", "change", "why"], rows, 51).splitlines() == [
        "x                        change  why",
        "a  +16.9 points (+9.1 to +24.8)  one two three four",
        "                                 five six",
    ]


def test_columns_that_do_not_fit_stand_in_a_table_below_with_what_tells_the_rows_apart() -> None:
    rows = [["T4", "aws", "1,000,000", "2,000,000"], ["T4", "gcp", "3,000,000", "4,000,000"]]
    assert table(["gpu", "where", "least", "most"], rows, 22).splitlines() == [
        "gpu  where      least",
        "T4   aws    1,000,000",
        "T4   gcp    3,000,000",
        "",
        "gpu  where       most",
        "T4   aws    2,000,000",
        "T4   gcp    4,000,000",
    ]


def test_where_no_two_columns_fit_each_row_is_a_list() -> None:
    shown = table(["name", "rows"], [["a long name", "1,000"], ["b", "2"]], 12)
    assert shown.splitlines() == ["a long name", "  rows:", "    1,000", "b", "  rows: 2"]


@pytest.mark.parametrize("width", [5, 9, 40])
def test_wrapped_lines_lose_no_character_and_are_no_longer_than_told(width: int) -> None:
    text = "  so: 日本語 and e\u0301 averyveryverylongword, (that) is all"
    shown = wrap(text, width, "  ")
    assert all(cells(line) <= width for line in shown)
    assert "".join("".join(shown).split()) == "".join(text.split())


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
