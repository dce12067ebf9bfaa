"""What lays a row out is no part of what it says, and what it says of tags and signs is."""

import pytest

from finewright.guard.duplicates.layout import without_layout
from finewright.guard.duplicates.words import words_of
from finewright.schema.rows import RowParts

PROSE = "the parcel was sent on monday by the depot in the north"


def row(asked: str, answered: str) -> RowParts:
    return RowParts([], [asked], [answered], None, None)


def said(asked: str, answered: str) -> list[list[str]]:
    plain = without_layout(row(asked, answered))
    return [words_of(text) for text in (*plain.prompt, *plain.answered)]


@pytest.mark.parametrize(
    ("asked", "answered"),
    [
        ("<p>where is it?</p>", f"<p>{PROSE}<br/>as they say.</p>"),
        ("<p>where is it?</p>", "<p>Brazil</p>"),
        ("where is it?", f"<div><b>{PROSE}</b> &ndash; as they say</div>"),
        ("where is it?", f"- {PROSE}\n- as they say"),
        ("where&nbsp;is it?", "&quot;yes&quot; and &#39;no&#39;"),
    ],
)
def test_layout_is_left_out(asked: str, answered: str) -> None:
    words = {word for text in said(asked, answered) for word in text}
    assert {"where", "is", "it"} <= words
    assert not {"p", "br", "div", "b", "ndash", "nbsp", "quot", "39"} & words
    assert not any(text.startswith("-") for text in without_layout(row(asked, answered)).answered)


@pytest.mark.parametrize(
    ("asked", "answered"),
    [
        ("Which tag makes a paragraph?", "<p>"),
        ("Say hi in bold.", "<p><b>hi</b></p>"),
        ("Which entity is a lesser sign?", "&lt; and not &gt;"),
        ("<p>Which</p> <form>?</form>", f"<script>{PROSE}</script>"),
        ("Take b from a.", "x = a\n- b;"),
        ("How much?", "-5 or - 5"),
        ("- five times two is what number?", "minus ten"),
        ("Write the reply.\n- Bob Smith", "Sure"),
        ("Explain it:\n- use the cache\n- use it\n+ skip the cache", "It is left out."),
        ("Which HTML is this?", f"<p>{PROSE}</p>"),
    ],
)
def test_what_is_spoken_of_stays(asked: str, answered: str) -> None:
    assert without_layout(row(asked, answered)) == row(asked, answered)


def test_a_long_dash_between_numbers_is_a_minus() -> None:
    assert without_layout(row("how much", "35 \u2014 21 = 14")).answered == ["35 - 21 = 14"]
