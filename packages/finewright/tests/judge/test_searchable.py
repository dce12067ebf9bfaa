"""Words are parted where scripts put no space, and nothing of a query is syntax."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finewright.judge.searchable import begins_words, num_words, query_words, searchable


def test_ascii_is_as_it_was():
    assert searchable("transferFrom(a, b) -- 100 %") == "transferFrom(a, b) -- 100 %"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("手数料は", ["手数", "数料", "料は", "は"]),
        ("年5回", ["年", "5", "回"]),
        ("ｶﾞｲﾄﾞ", ["ガイ", "イド", "ド"]),
        ("ﬁne \uff26ee", ["fine", "Fee"]),
        ("שָׁלוֹם", ["שלום"]),
        ("مُحَمَّد", ["محمد"]),
        ("हिन्दी में", ["हिन्दी", "में"]),
    ],
)
def test_texts_are_written_as_words(text: str, words: list[str]):
    assert searchable(text).split() == words
    assert num_words(searchable(text)) == len(words)


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("手数料は", ["手数", "数料", "料は"]),
        ("手", ["手"]),
        ('The the THE fee\'s "x_y" NOT(*)', ["the", "fee", "s", "x", "y", "not"]),
        ("", []),
        ("?! -- \0", []),
        ("a\ud800b", ["a", "b"]),
    ],
)
def test_a_query_is_its_distinct_words(query: str, words: list[str]):
    assert query_words(query) == words


def test_a_single_character_of_a_script_without_spaces_begins_words():
    assert begins_words("手")
    assert not begins_words("a")
    assert not begins_words("手数")


@given(st.text())
def test_no_word_of_a_query_has_anything_that_could_be_syntax(query: str):
    for word in query_words(query):
        assert not re.search(r"[\s\x00-\x1f!-/:-@\[-`{-~]", word)


@given(st.text(max_size=12))
def test_a_text_has_the_words_of_itself_as_a_query(text: str):
    own = searchable(text).casefold()
    assert all(word in own for word in query_words(text))
