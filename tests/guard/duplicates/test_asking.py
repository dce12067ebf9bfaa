"""What says only that and how one asks is no part of the question."""

import pytest

from finewright.guard.duplicates.asking import without_asking


@pytest.mark.parametrize(
    ("text", "question"),
    [
        ("Please answer this. local events", "local events"),
        ("make a list Please be brief.", "make a list"),
        ("Hi, Compose a poem about rain.", "Compose a poem about rain."),
        ("Sorry to bother you. Where is my card?\nKind regards, Tom", "Where is my card?"),
        ("Where is my card? Best, Maria", "Where is my card?"),
        ("where is my card Thanks, Tom", "where is my card"),
        ("which zone is it in Kind regards, Tom", "which zone is it in"),
        ("where is my card? many thanks - Tom", "where is my card?"),
        ("I was wondering, who won in 1998? Answer in one sentence.", "who won in 1998?"),
    ],
)
def test_clauses_of_asking_are_left_out(text: str, question: str) -> None:
    assert without_asking(text) == question


@pytest.mark.parametrize(
    "text",
    [
        "how are you?",
        "Please explain. Thanks!",
        "Create a user. Do not give the user any rights.",
        "Book a table at The Great House",
        "Nobody told Tom about the Answer, and Maria knows. Why?",
        "which capital do visitors rate best, Paris",
        "Which Capital Do Visitors Rate Best, Paris",
        "Say how a letter to the landlord should end, regards - Athens",
        "def f(n):\n    return n\n",
    ],
)
def test_what_says_something_and_what_stands_alone_stay(text: str) -> None:
    assert without_asking(text).strip() == text.strip()
