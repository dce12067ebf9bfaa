"""A page is whole, loads nothing, and no text on it can act."""

import pytest

from finewright.report.blocks import Fold, Page, Plot, Point, Quote, Section, Table, Text
from finewright.report.html import as_html
from finewright.report.text import cut, visible
from finewright.schema.common import Problem

from .pages import ATTACK, check_page

PAGE = Page(
    subject="a test",
    title=ATTACK,
    answer=ATTACK,
    about=(ATTACK,),
    notice=ATTACK,
    problems=(Problem(level="error", message=ATTACK),),
    sections=[
        Section(ATTACK, [
            Text(ATTACK), Text(f"{ATTACK}\ntwo", "soft"), Text(ATTACK, "code"), Text("unseen", "terminal"),
            Table((ATTACK, "n"), [(ATTACK, "12"), ("b", "")], ATTACK),
            Plot(ATTACK, "bars", [Point(ATTACK, 2, link="rows"), Point("none", 0)], ATTACK),
            Quote(ATTACK, ATTACK),
            Fold(ATTACK, [Quote(ATTACK, ATTACK)], name="rows", is_error=True),
            Problem(level="warning", message=ATTACK),
        ]),
        Section("More", [Text("words")], is_for_page=True),
        Section("Unseen", [Text("unseen", "terminal")]),
    ],
)  # fmt: skip


def test_every_text_is_shown_and_harmless() -> None:
    page = as_html(PAGE)
    parsed = check_page(page)
    assert not {"\u202e", "\u200b", "\x00"} & set(page)
    assert parsed.text.count('<script>alert(1)</script><img src="http://evil/x"') == 23
    assert "unseen" not in page
    assert "Unseen" not in page


def test_a_page_begins_with_its_mark_and_links_its_sections() -> None:
    page = as_html(PAGE)
    assert page.startswith(
        "<!DOCTYPE html>\n<!-- A page about a test, made by finewright. -->\n<html"
    )
    assert check_page(page).values("href") == ["#section-1", "#section-2", "#rows"]


def test_columns_of_numbers_are_flush_right_and_a_rows_first_cell_is_its_header() -> None:
    parsed = check_page(as_html(PAGE))
    assert [(tag, value) for tag, name, value in parsed.attributes if (name, value) == ("class", "n")] == [
        ("th", "n"), ("td", "n"), ("td", "n"),
    ]  # fmt: skip
    assert [value for tag, name, value in parsed.attributes if name == "scope"] == [
        "col", "col", "row", "row",
    ]  # fmt: skip


def test_dark_phone_and_print_are_styled() -> None:
    page = as_html(PAGE)
    for part in ("prefers-color-scheme: dark", "@media print", "@media (max-width"):
        assert part in page


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain\n\ttext", "plain\n\ttext"),
        ("a\u200bb", "a\\u{200b}b"),
        ("\u202etxt", "\\u{202e}txt"),
        ("\U000e0041", "\\u{e0041}"),
        ("\x00\x1b", "\\u{0000}\\u{001b}"),
        ("\ud800", "\\u{d800}"),
        ("Straße 你好 é", "Straße 你好 é"),
    ],
)
def test_what_hides_is_made_visible(text: str, shown: str) -> None:
    assert visible(text) == shown


def test_a_cut_text_says_how_much_is_left_out() -> None:
    assert cut("abcdef", 4) == "abcd ... and 2 more characters"
    assert cut("abcd", 4) == "abcd"
