"""What an answer quotes, whether it stands there, and whether the answer says that there is none."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finewright.evaluate.score import row_scorer
from finewright.judge.quotes import (
    ABSTENTION,
    abstains,
    find_quotes,
    numbers_absent,
    quote_line,
    stands_in_passages,
)

PASSAGE = """Roles are referred to by their `bytes32` identifier. These should be
exposed in the external API and be unique.

The fee is $1,250.50 for 30 days, "as a rule"."""


@pytest.mark.parametrize(
    ("answer", "spans"),
    [
        ('[2] "the fee is 5"\n\nFive.', ["the fee is 5"]),
        ('[1] "one"\n[2] "says "two" here"\n\nBoth.', ["one", 'says "two" here']),
        ("[1]: \u201ctypographic marks\u201d\n\nYes.", ["typographic marks"]),
        ("##begin_quote##of the paper ##end_quote## so", ["of the paper"]),
        ("##begin_quote##not ended", ["not ended"]),
        ("It says:\n> words of\n> two lines\n\nThus.", ["words of two lines"]),
        ('It says "these should be exposed" there.', ["these should be exposed"]),
        ("so \u201eauf deutsche Art gesetzt\u201c also", ["auf deutsche Art gesetzt"]),
        ("et \xab \xe0 la fran\xe7aise \xbb aussi", ["\xe0 la fran\xe7aise"]),
        ('a "name" and a "two words" are no quotes', []),
        ("don't and can't and won't have three apostrophes", []),
        ('{"label": "a value of words"}', []),
        ('```\nx = "a string of words"\n```', []),
        ('an odd " mark\n\nand "a whole quote here" after', ["a whole quote here"]),
        ("", []),
    ],
)  # fmt: skip
def test_spans_are_found_in_every_form(answer: str, spans: list[str]) -> None:
    assert find_quotes(answer) == spans


@given(st.integers(1, 99), st.text(min_size=1).filter(lambda text: text.split()))
def test_a_quote_line_is_read_back_without_its_line_breaks(number: int, words: str) -> None:
    assert find_quotes(f"{quote_line(number, words)}\n\nThe answer.") == [" ".join(words.split())]


@pytest.mark.parametrize(
    ("span", "is_supported"),
    [
        ("These should be exposed in the external API", True),
        ("these should be exposed", False),  # another case is another word
        ("Roles are   referred\nto", True),
        ("Roles are referred to \u2026 be unique.", False),  # two words are too few for a part
        ("Roles are referred to \u2026 exposed in the external API", True),
        ("exposed in the external API [...] Roles are referred to", False),  # not in this order
        ("\u201cas a rule\u201d", True),
        ("referr", False),
        ("oles are", False),
        ("Roles are referred by", False),
        ("", False),
        (" ... ", False),
    ],
)
def test_a_span_stands_in_a_passage_word_for_word(span: str, is_supported: bool) -> None:
    assert stands_in_passages(span, ["something else", PASSAGE]) is is_supported


def test_a_span_is_not_pieced_together_from_two_passages() -> None:
    assert not stands_in_passages(
        "the first half and the second", ["the first half and", "the second"]
    )
    assert not stands_in_passages("anything", [])


def test_scripts_without_spaces_are_quoted_from_within() -> None:
    assert stands_in_passages("\u5408\u7ea6", ["\u8fd9\u4e2a\u5408\u7ea6\u53ef\u4ee5\u5347\u7ea7"])


def test_forms_of_characters_and_marks_that_only_format_do_not_count() -> None:
    assert stands_in_passages("of\ufb01ce \u2013 a co\u00adop", ["office - a coop, well"])


@given(st.text(), st.data())
def test_what_is_cut_at_words_is_supported(text: str, data: st.DataObject) -> None:
    words = text.split()
    start = data.draw(st.integers(0, len(words)))
    span = " ".join(words[start : data.draw(st.integers(start, len(words)))])
    visible = [c for c in span if not c.isspace()]
    if visible and all(c.isalnum() and c.isascii() for c in visible):
        assert stands_in_passages(span, [text])


@pytest.mark.parametrize(
    ("answer", "absent"),
    [
        ("It costs 1250.5 for 30 days", []),
        ("It costs 1,251 for 31 days", ["1,251", "31"]),
        ("As [2] and [3, 4] say, it is free", []),
        ("1. a uint256\n2. an ERC20", []),
        ("version 5.7.0", ["5.7.0"]),
        ("at 0xFF", ["0xFF"]),
        ("30 or 30", []),
    ],
)
def test_numbers_that_no_passage_has_are_named(answer: str, absent: list[str]) -> None:
    assert numbers_absent(answer, [PASSAGE]) == absent


def test_a_number_within_a_word_of_a_passage_is_there() -> None:
    assert numbers_absent("It has 256 bits.", ["a uint256"]) == []


@pytest.mark.parametrize(
    "answer",
    [
        ABSTENTION,
        ABSTENTION.upper(),
        "I don't know.",
        "I\u2019m not sure.",
        "Sorry, the passages do not contain that information. Please provide more context.",
        "None of the passages mention the fee.",
        "No passage says anything about it",
        "The text does not specify this. They only discuss roles.",
        "I cannot answer this from the given documents.",
        "It is not stated in the context.",
        "There is no information about this in the passages.",
        "The answer cannot be determined from the passages.",
        "There is not enough information to answer.",
    ],
)
def test_an_honest_paraphrase_abstains(answer: str) -> None:
    assert abstains(answer)


@pytest.mark.parametrize(
    "answer",
    [
        "",
        "It returns the fee.",
        "The passages don't mention X, but it returns true.",
        f"{ABSTENTION} However, the fee is 5.",
        '[1] "the fee is 5"\n\nI am not sure.',
        "The function does not contain a check.",
        "Reverts if the section is not found.",
        "Throws if no sources are given.",
        "This contract does not provide documentation of roles.",
        "The document does not exist and the call reverts.",
        "Returns the information about the token.",
    ],
)
def test_an_answer_does_not_abstain(answer: str) -> None:
    assert not abstains(answer)


@given(st.text())
def test_no_answer_makes_any_of_it_raise(answer: str) -> None:
    spans = find_quotes(answer)
    assert all(span == " ".join(span.split()) and span for span in spans)
    assert isinstance(abstains(answer), bool)
    assert set(numbers_absent(answer, [answer])) == set()


@pytest.mark.parametrize(
    ("answer", "expected", "score"),
    [(ABSTENTION, "I don't know.", 1.0), ("5", ABSTENTION, 0.0), ("I don't know", "5", 0.0), ("6", "5", 1.0)],
)  # fmt: skip
def test_the_scorer_compares_abstentions_alone(answer: str, expected: str, score: float) -> None:
    assert row_scorer("abstention")(answer, expected) == score
