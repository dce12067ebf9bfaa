"""Questions of general knowledge that come with finewright, to see what a training takes away."""

from functools import cache
from typing import NamedTuple

from finewright.catalog.packaged import packaged


class GeneralQuestion(NamedTuple):
    """A question, and the words that a right answer holds."""

    question: str
    answer: str


@cache
def general_questions() -> tuple[GeneralQuestion, ...]:
    """All of them, in one order. They are easy: a model that loses them has lost much."""
    return packaged("general.yaml", tuple[GeneralQuestion, ...], "finewright_advice.catalog")
