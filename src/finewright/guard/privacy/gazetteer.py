"""The word lists of names and streets, read when they are first needed.

Written by hand: common given names and surnames of the languages that we read, words that are no names,
and the street suffixes of the United States Postal Service (Publication 28, appendix C1)."""

from functools import cache
from importlib.resources import files
from typing import Literal

ListName = Literal["given_names", "ambiguous_names", "surnames", "street_words", "not_names"]


@cache
def listed(name: ListName) -> frozenset[str]:
    """The words of a list, in lower case."""
    path = files("finewright.guard.privacy") / "lists" / f"{name}.txt"
    return frozenset(path.read_text(encoding="utf-8").split())
