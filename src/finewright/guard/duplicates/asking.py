"""Questions without what says that and how one asks: `Hi,`, `Please be brief.`, `Kind regards, Tom`."""

import re
from itertools import pairwise

from finewright.guard.duplicates.lexicon.lists import asking, beside_asking, fillers

# Where a clause ends, or a capital letter may begin one that no full stop parts from what stands before it.
_BREAK = re.compile(
    r"(?<=[.!?:,;])\s+|\n+"
    r"|(?<=\w)(?<!\ba)(?<!\b(?:to|of|in|at|by|or|an|my))(?<!\b(?:the|and|for))\s+(?=[A-Z][a-z]+\b)"
)
_WORD = re.compile(r"[^\W_]+(?:['\u2019][^\W_]+)*")
# On a line of its own, after a sentence, or by its capital after a word that has none: within a sentence, as
# in `which do visitors rate best, Paris`, and in a title the words are no signature.
_SIGNED = re.compile(
    r"(?:(?m:^)[ \t]*|[.!?][)\"'\u2019\u201d]?\s+"
    r"|\b(?!(?:an?|the|my|and|or)\s)[a-z\d]\w*\s+(?=[A-Z][a-z]+\b))"
    r"((?i:(?:(?:kind|best|warm|many)\s+)?"
    r"(?:regards|wishes|best|cheers|sincerely|yours|thanks|thank you))"
    r"\s*[,!\u2013-]\s*[A-Z]\w+(?:\s[A-Z]\w+)?\.?\s*)$"
)


def without_asking(text: str) -> str:
    """The text without clauses that have no other words than those of asking; all of it where it has no
    other clause."""
    signed = _SIGNED.search(text)
    body = text[: signed.start(1)] if signed else text
    ends = [match.end() for match in _BREAK.finditer(body)]
    clauses = (body[start:end] for start, end in pairwise([0, *ends, len(body)]))
    return "".join(clause for clause in clauses if not _is_asking(clause)).strip() or text


def _is_asking(clause: str) -> bool:
    words = {re.sub("['\u2019]", "", word) for word in _WORD.findall(clause.lower())}
    return not words.isdisjoint(asking()) and words <= asking() | beside_asking() | fillers()
