"""The short word lists of names and streets, read when they are first needed.

Written by hand: given names and surnames that stand in for others, words that are no names or make one
of something else, and the street suffixes of the US Postal Service (Publication 28, appendix C1)."""

from functools import cache
from importlib.resources import files
from typing import Literal

ListName = Literal["given_names", "surnames", "street_words", "not_names", "not_people"]


@cache
def read_word_list(name: ListName) -> frozenset[str]:
    """The words of a list, in lower case."""
    path = files("finewright.guard.privacy") / "lists" / f"{name}.txt"
    return frozenset(path.read_text(encoding="utf-8").split())
