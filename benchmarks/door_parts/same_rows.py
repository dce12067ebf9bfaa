"""Is a row the same as another in the eyes of a person? By rules that the door does not use."""

import re
from collections import Counter
from difflib import SequenceMatcher

_WORD = re.compile(r"[^\W_]+")
# What one may leave out of a question, and how one asks.
_WORDS = (
    "a an the this that these those of to for in on at by as and or so then there here is are was"
    " were be been am do does did have has had having will would could can may might should shall it"
    " its i im ive id ill me my mine we us our you your yours he she they what whats which who how"
    " when where why please kindly thanks thank hi hello hey just really very good some any all from"
    " with want wants need needs like know tell give show let get got find about if says say up out"
)
_SMALL = frozenset(_WORDS.split())
_MOSTLY = 0.75
_RUN, _HALF, _MANY = 5, 0.5, 10


def are_same(one: tuple[str, str], other: tuple[str, str]) -> bool:
    """Do two rows, of question and answer, ask the same with three quarters of their words in common, small
    ones and figures aside, or stand half of the words of the shorter one in common runs of five or more?"""
    words, others = _content(one[0]), _content(other[0])
    if len(words & others) >= _MOSTLY * len(words | others):
        return True
    row, rival = (_WORD.findall(" ".join(texts).lower()) for texts in (one, other))
    blocks = SequenceMatcher(None, row, rival, autojunk=False).get_matching_blocks()
    known = sum(block.size for block in blocks if block.size >= _RUN)
    return known >= _HALF * min(len(row), len(rival))


def without_usual(rows: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """The rows without the lines of questions that more than ten rows have, such as lists of tools."""
    usual = Counter(line for row in rows for line in set(row[0].splitlines()))
    own = ["\n".join(line for line in row[0].splitlines() if usual[line] <= _MANY) for row in rows]
    return [(question or row[0], row[1]) for question, row in zip(own, rows, strict=True)]


def _content(text: str) -> set[str]:
    """The words that say something, without plurals, figures and apostrophes."""
    words = _WORD.findall(re.sub("['\u2019]", "", text.lower()))
    said = {word for word in words if word not in _SMALL and not word.isdigit()}
    return {word.removesuffix("s") for word in said or words}
