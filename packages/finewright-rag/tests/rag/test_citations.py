"""A quote is verified where its words stand in the passage that is cited for it, and only there."""

import pytest

from finewright_rag.citing.citations import CitedQuote, find_citations, quotes

PASSAGES = [
    "The card fee is 12 euros a year.\nIt is due in May.",
    "Disputes are filed within 60 days of the statement.",
]


@pytest.mark.parametrize(
    ("answer", "quote", "is_verified"),
    [
        (
            '[1] "The card fee is 12 euros a year."\nIt is 12.',
            CitedQuote("The card fee is 12 euros a year.", (1,), (1,)),
            True,
        ),
        (
            'It says "within 60 days of the statement" [2].',
            CitedQuote("within 60 days of the statement", (2,), (2,)),
            True,
        ),
        (
            'It says "within 60 days of the statement".',
            CitedQuote("within 60 days of the statement", (), (2,)),
            True,
        ),
        (
            '[1] "within 60 days of the statement"',
            CitedQuote("within 60 days of the statement", (1,), (2,)),
            False,
        ),
        (
            '[2] "within 90 days of the statement"',
            CitedQuote("within 90 days of the statement", (2,), ()),
            False,
        ),
        ('[9] "The card fee is 12"', CitedQuote("The card fee is 12", (9,), (1,)), False),
        ('[1, 2] "It is due in May."', CitedQuote("It is due in May.", (1, 2), (1,)), True),
        (
            '[1] "12 euros a year. It is due"',
            CitedQuote("12 euros a year. It is due", (1,), (1,)),
            True,
        ),
        ("> It is due in May. [1]", CitedQuote("It is due in May.", (1,), (1,)), True),
        ('> [2] "It is due in May."', CitedQuote("It is due in May.", (2,), (1,)), False),
        (
            "##begin_quote##It is due in May.##end_quote##",
            CitedQuote("It is due in May.", (), (1,)),
            True,
        ),
    ],
)
def test_a_quote_is_looked_for_where_it_is_said_to_be(
    answer: str, quote: CitedQuote, is_verified: bool
) -> None:
    assert quotes(answer, PASSAGES) == [quote]
    assert quote.is_verified is is_verified


def test_one_span_from_two_places_is_two_quotes() -> None:
    answer = '[1] "The card fee is 12"\n[2] "Disputes are filed within"'
    assert [quote.cited for quote in quotes(answer, PASSAGES)] == [(1,), (2,)]


def test_a_number_after_words_is_theirs_and_not_that_of_the_next_line() -> None:
    answer = '"The card fee is 12" [1]\n"Disputes are filed within" [2]'
    assert [quote.cited for quote in quotes(answer, PASSAGES)] == [(1,), (2,)]


def test_the_same_words_cited_twice_are_two_quotes() -> None:
    answer = '[1] "The card fee is 12"\n[2] "The card fee is 12"'
    assert [(q.cited, q.is_verified) for q in quotes(answer, PASSAGES)] == [
        ((1,), True),
        ((2,), False),
    ]


def test_a_quote_that_is_said_again_is_one() -> None:
    answer = '[1] "The card fee is 12"\nThe card fee is 12'
    assert [quote.cited for quote in quotes(answer, PASSAGES)] == [(1,)]


def test_a_quote_without_a_number_does_not_take_that_of_the_next_line() -> None:
    answer = '"The card fee is 12"\n[2] "Disputes are filed within"'
    assert {q.text: q.cited for q in quotes(answer, PASSAGES)} == {
        "The card fee is 12": (),
        "Disputes are filed within": (2,),
    }


def test_an_answer_that_quotes_nothing_cites_by_number_alone() -> None:
    assert quotes("Sixty days [2], and the fee [1][2].", PASSAGES) == []
    assert find_citations("Sixty days [2], and the fee [1][2] [x] [3, 7] a[5].") == [2, 1, 3, 7]


@pytest.mark.parametrize("answer", ["", "[", '"' * 1000, "[1]" * 500, "((((" * 100, '[1] "a(b*c+"'])
def test_nothing_that_a_model_writes_breaks_it(answer: str) -> None:
    assert all(not quote.is_verified for quote in quotes(answer, PASSAGES))
    find_citations(answer)
