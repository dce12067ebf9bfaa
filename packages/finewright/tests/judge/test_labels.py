"""Labels are few, short, on one line, and given several times; free answers and results are none."""

import pytest

from finewright.judge.labels import labels_of


def test_repeated_short_answers_are_labels() -> None:
    assert labels_of([" fee", "card", "fee"] * 4) == ("card", "fee")
    many = [f"intent_number_{i}_of_banking" for i in range(77)]
    assert labels_of(many * 5) == tuple(sorted(many))


@pytest.mark.parametrize(
    "answers",
    [
        ["a", "b"] * 4,
        [f"answer {i}" for i in range(100)],
        ["a", "b" * 65] * 10,
        ["a", "b\nc"] * 10,
        ["a", ""] * 10,
        [str(i) for i in range(30)] * 10,
        [f"label {i}" for i in range(201)] * 10,
    ],
    ids=["too few rows", "free", "long", "two lines", "empty", "results", "too many"],
)
def test_other_answers_are_none(answers: list[str]) -> None:
    assert labels_of(answers) == ()


def test_grades_are_labels_though_they_are_numbers() -> None:
    assert labels_of(["1", "2", "3", "4", "5"] * 5) == ("1", "2", "3", "4", "5")
