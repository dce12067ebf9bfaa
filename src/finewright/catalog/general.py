"""Questions of general knowledge that come with finewright, to see what a training takes away."""

from functools import cache
from importlib.resources import files
from typing import NamedTuple

import yaml
from pydantic import TypeAdapter


class GeneralQuestion(NamedTuple):
    """A question, and the words that a right answer holds."""

    question: str
    answer: str


@cache
def general_questions() -> tuple[GeneralQuestion, ...]:
    """All of them, in one order. They are easy: a model that loses them has lost much."""
    text = files("finewright.catalog").joinpath("general.yaml").read_text(encoding="utf-8")
    pairs = yaml.load(text, Loader=yaml.CSafeLoader)  # noqa: TID251 - our own file, safe loader
    return TypeAdapter(tuple[GeneralQuestion, ...]).validate_python(pairs)
