"""Texts that were broken before they came here: letters that were decoded wrongly or lost, answers that are
what a program writes for a missing value, and prompts that end with the cue of a chat template."""

import re
from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple

from finewright.rows.containers.sheet import FAILED
from finewright.schema.rows import Row, RowText

BrokenKind = Literal["mojibake", "lost", "missing", "empty", "cued"]
# What UTF-8's later bytes look like where they were read as Windows-1252.
_LATER = (
    "\u0080-\u00bf\u20ac\u201a\u0192\u201e\u2026\u2020\u2021\u02c6\u2030\u0160\u2039\u0152\u017d"
)
_LATER += "\u2018\u2019\u201c\u201d\u2022\u2013\u2014\u02dc\u2122\u0161\u203a\u0153\u017e\u0178"
_MOJIBAKE = re.compile(
    "[\u00c2\u00c3][\u00a1-\u00bf]"
    f"|\u00e2\u20ac[{_LATER}]"
    f"|(?:[\u00d0\u00d1][{_LATER}]){{3}}"
    f"|(?:[\u00e3-\u00ed][{_LATER}]{{2}}){{2}}"
)
_LEAD = re.compile("[\u00c2\u00c3\u00d0\u00d1\u00e2-\u00ed]")
_MISSING = FAILED | {"nan", "NaN", "None", "null", "NULL", "<NA>", "undefined"}
_CUE = re.compile(
    r"(?:### ?(?:Response|Assistant|Answer|Output) ?:|\[/INST\]|<\|assistant\|>)\s*\Z", re.I
)
_SHORT, _AROUND = 16, 12


class BrokenText(NamedTuple):
    """How it is broken, at which key, and the part of it that tells."""

    kind: BrokenKind
    key: str
    says: str


def find_broken_texts(row: Row, texts: Sequence[RowText]) -> Iterator[BrokenText]:
    """The broken texts of a row, in order."""
    for text in texts:
        if not text.text.isascii():
            yield from _of_letters(text)
    for i, turn in enumerate(row.messages):
        key, content = f"messages[{i}].content", turn["content"]
        is_learned = turn["role"] == "assistant" and turn.get("weight", 1)
        if is_learned and len(content) < _SHORT and content.strip() in _MISSING:
            yield BrokenText("missing", key, content.strip())
        elif is_learned and content.strip() == "[]":
            yield BrokenText("empty", key, "[]")
        elif turn["role"] == "user" and (cue := _CUE.search(content, max(len(content) - 40, 0))):
            yield BrokenText("cued", key, cue[0].strip())


def _of_letters(text: RowText) -> Iterator[BrokenText]:
    if "\ufffd" in text.text:
        yield BrokenText("lost", text.key, _around(text.text, text.text.index("\ufffd")))
    if _LEAD.search(text.text) and (found := _MOJIBAKE.search(text.text)):
        yield BrokenText("mojibake", text.key, _around(text.text, found.start()))


def _around(text: str, at: int) -> str:
    return " ".join(text[max(at - _AROUND, 0) : at + _AROUND].split())


def describe_broken_text(kind: str, says: str, *, one: bool) -> tuple[str, str]:
    """What is to be said of a row, or of several, and what to do."""
    verb = "has" if one else "have"
    return {
        "mojibake": (
            f"{verb} letters that were decoded wrongly, this one first: {says}",
            "read the file that they come from as UTF-8, and write them anew",
        ),
        "lost": (
            f"{verb} letters that an earlier step lost (U+FFFD), this one first: {says}",
            "read the file that they come from in its own encoding, and write them anew",
        ),
        "missing": (
            f"answer{'s' * one} what programs write for a missing value, this one first: {says}",
            "leave them out, unless they are meant",
        ),
        "empty": (
            f"answer{'s' * one} with the empty list []",
            "of several labels a row that is none of them; leave them out where turns are meant",
        ),
        "cued": (
            f"{verb} a prompt that ends with the cue of a template, this one first: {says}",
            "write what is asked alone: the chat template of the model comes around it",
        ),
    }[kind]
