"""Words are the same whatever their case, form and process; facts know their shape."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from finewright.guard.duplicates.numbered import number_rows
from finewright.guard.duplicates.signed import SignedRows, columns_of
from finewright.guard.duplicates.words import (
    are_facts,
    facts_of,
    fold,
    number_of,
    shape_of,
    uncapital,
    words_in,
    words_of,
)
from finewright.rows.texts import parts_of
from finewright.schema.rows import Row, RowParts

from .made import chat


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Send 5 ETH, now!", ["send", "5", "eth", "now"]),
        ("\uff26\uff35\uff2c\uff2c \ufb01ne", ["full", "fine"]),
        ("Stra\u00dfe STRASSE", ["strasse", "strasse"]),
        ("\u6211\u7231ML", ["\u6211", "\u7231", "ml"]),
        (":-) ;", [":", "-", ")", ";"]),
        ("", []),
    ],
)
def test_words_are_folded_and_apart(text: str, expected: list[str]) -> None:
    assert words_of(text) == expected


@pytest.mark.parametrize(
    ("one", "other", "are_alike"),
    [
        ("uint48", "uint256", True),
        ("2024", "17", True),
        ("0xec69", "0xbeef12", True),
        ("fd3a", "84b5", True),
        ("uint48", "bytes48", False),
        ("fee", "bee", False),
        ("beef", "2024", False),
    ],
)
def test_facts_of_one_shape(one: str, other: str, are_alike: bool) -> None:
    assert (shape_of(one) == shape_of(other)) is are_alike


@settings(max_examples=200, deadline=None)
@given(st.text(min_size=1, max_size=8))
def test_an_odd_number_is_a_word_with_a_digit(text: str) -> None:
    for word in words_of(text):
        number = number_of(word)
        assert 0 <= number < 2**32
        [is_fact] = are_facts(np.array([number], np.uint32))
        assert is_fact == (shape_of(word) != word)


@pytest.mark.parametrize("most", [1, 40, 1_000])
def test_what_was_read_before_changes_no_row(most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("finewright.guard.duplicates.words.MOST_KNOWN", most)
    # Of few numbers, so that many words share one.
    monkeypatch.setattr(
        "finewright.guard.duplicates.words.number_of", lambda word: 16 + 4 * (len(word) % 3)
    )
    rows = [
        parts_of(chat(f"One word {'x' * i} and another", f"It is {'y' * (30 - i)}, Anna"))
        for i in range(30)
    ]
    alone = [_of_one(row) for row in rows]
    words_in(reversed(rows))
    assert [_of_one(row) for row in rows] == alone


@pytest.mark.parametrize("most", [1, 3, 8, 1_000])
def test_where_the_memory_of_words_is_emptied_changes_no_spelling(
    most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("finewright.guard.duplicates.words.MOST_KNOWN", most)
    monkeypatch.setattr(
        "finewright.guard.duplicates.words.number_of", lambda word: 16 + 4 * (len(word) % 3)
    )
    rows = [parts_of(chat(text, "ok")) for text in ("tea", "bat", "a few more words", "tea", "cut")]
    assert words_in(rows).spelled == {16: "tea", 24: "ok", 20: "a"}


def _of_one(row: RowParts) -> tuple[list[int], Mapping[int, str]]:
    found = words_in([row])
    return found.words.tolist(), found.spelled


def test_folding_twice_changes_nothing() -> None:
    for text in ("\u0130stanbul", "\ufb01", "\u1e9e", "\u01c4"):
        assert fold(fold(text)) == fold(text)


def test_a_row_has_what_is_told_asked_and_answered() -> None:
    row = chat("Q", "A", system="S")
    assert parts_of(row)[:3] == (["S"], ["Q"], ["A"])
    pair = Row(
        "x",
        row.messages,
        None,
        "f",
        1,
        rejected=(*row.messages[:-1], row.messages[-1] | {"content": "B"}),
    )
    assert parts_of(pair)[:3] == (["S"], ["Q"], ["A", "B"])
    prompt = Row("x", row.messages[:-1], None, "f", 1, columns={"answer": "A", "n": 3})
    assert parts_of(prompt)[:3] == (["S"], ["Q"], ["A"])


def test_what_is_said_after_the_answer_is_no_part() -> None:
    row = chat("Q", "A", system="S")
    thanked = replace(row, messages=(*row.messages, {"role": "user", "content": "ok thanks"}))
    assert parts_of(thanked)[:3] == (["S"], ["Q"], ["A"])
    again = replace(thanked, messages=(*thanked.messages, *row.messages[1:]))
    assert parts_of(again)[:3] == (["S"], ["Q", "A", "ok thanks", "Q"], ["A"])


def test_columns_hold_one_row_each() -> None:
    rows = [
        chat("one two", "three", system="s"),
        chat("", "x"),
        chat("ONE  two", "Three", system="S"),
    ]
    numbered = number_rows(map(parts_of, rows))
    found = SignedRows(columns_of(numbered, 0.8))
    assert len(found) == len(numbered) == 3
    assert [len(found[i].prompt) for i in range(3)] == [2, 0, 2]
    assert [len(found[i].answered) for i in range(3)] == [2, 2, 2]  # with the end of its sentence
    assert found[0].key == found[2].key != found[1].key
    assert found.texts[0] == found.texts[2] != found.texts[1]
    assert np.array_equal(*(uncapital(found[i].prompt) for i in (0, 2)))


def test_the_order_of_facts_does_not_matter_and_each_counts() -> None:
    found = words_in(
        parts_of(chat(*said))
        for said in (("1 and 2", "x"), ("2 or 1", "y"), ("2 and 2", "x"), ("a", "b"))
    )
    facts = facts_of(found.words, found.starts[:-1])
    assert facts[0] == facts[1] != facts[2]
    assert facts[3] == 0


def test_no_rows_are_no_trouble() -> None:
    assert len(words_in([])) == 0
