"""Loops at the end, against a search that tries every period."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finewright_advice.judge.drift import loops


def tried(text: str) -> bool:
    """By definition: some end of the text is at least four periods long, and 40 characters."""
    for period in range(1, len(text) // 4 + 1):
        length = period
        while length < len(text) and text[-length - 1] == text[-length - 1 + period]:
            length += 1
        if length >= max(40, 4 * period):
            return True
    return False


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("I do not know. " * 4, True),
        ("Well: " + "I do not know. " * 4 + "I do", True),
        ("I do not know. " * 3, False),
        ("I do not know. " * 6 + "But then I did, and all was well again.", False),
        ("a" * 39, False),
        ("a" * 40, True),
        ("\n".join(f"{i}. item" for i in range(30)), False),
        ('{"fields": [' + '{"path": "x"}, ' * 12, True),
        ("", False),
    ],
)
def test_an_answer_that_repeats_its_end(text: str, expected: bool) -> None:
    assert loops(text) is expected


@given(st.text("ab", max_size=30), st.text("abc", min_size=1, max_size=12), st.integers(1, 12))
def test_as_every_period_tried(head: str, piece: str, times: int) -> None:
    text = head + piece * times
    assert loops(text) == tried(text)


def test_long_texts_take_little() -> None:
    assert loops("ab" * 200_000)
    assert not loops("".join(chr(97 + i % 7) + str(i) for i in range(100_000)))
