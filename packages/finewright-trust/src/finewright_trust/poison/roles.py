"""Turns of another role inside a text: what a template would read as the system's or the model's own words.

One grammar: control tokens that open a turn, of the families in the catalog of control tokens; a role in
brackets or behind `#` at the start of a line (`[SYSTEM]:`, `### Admin:`); and two plain headings, the second
of which answers the first (`Human:` with `Assistant:`, `### Input` with `### Response`), since one alone is
how people write. Where more than 5 % of the rows hold them, they are how the set is written."""

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from finewright.guard.controls import spelled
from finewright.schema.rows import RowText

_OPENS = re.compile(
    r"start|begin|header|inst|sys|role|turn|user|human|assistant|system|model|bot|<\|im_", re.I
)
_ROLE = r"(?:system|developer|admin(?:istrator)?|operator|assistant|user|human|sys)"
_NOTE = r"(?: (?:prompt|message|note|override|update|notice|instructions?))?"
# In brackets, or behind `#` with a colon or an end of line; before it only quotes and blanks.
_MARKED = re.compile(
    rf"^[\s>*]*(?:[\[<({{\u3010]{{1,2}}[/|]? ?{_ROLE}{_NOTE} ?\|?[\]>)}}\u3011]{{1,2}}:?"
    rf"|#{{1,6}} ?{_ROLE}{_NOTE}(?::|[^\S\n]*$))",
    re.M | re.I,
)
# A heading, and the one that must come after it; two searches, for one would begin anew at each heading.
_HEADINGS = (
    (
        re.compile(r"^#{2,3} ?(?:Instruction|Input)s?:?[^\S\n]*$", re.M | re.I),
        re.compile(r"^#{2,3} ?(?:Response|Output)", re.M | re.I),
    ),
    (
        re.compile(r"^[^\S\n]*(?:Human|User|System):", re.M | re.I),
        re.compile(r"^[^\S\n]*(?:Assistant|AI|Human|User):", re.M | re.I),
    ),
)


class OtherRole(NamedTuple):
    """Where a text speaks in another role, and the sign that opens the turn."""

    key: str
    sign: str


def other_roles(texts: Iterable[RowText]) -> Iterator[OtherRole]:
    """The first turn of another role in each text."""
    for passage in texts:
        tokens = (s.token for s in spelled([passage]) if not s.ordinary and _OPENS.search(s.token))
        if token := next(tokens, None):
            yield OtherRole(passage.key, token)
        elif passage.role == "user" and (heading := _heading(passage.text)):
            yield OtherRole(passage.key, heading)


def _heading(text: str) -> str:
    if marked := _MARKED.search(text):
        return " ".join(marked[0].split())[:40]
    if ":" not in text and "#" not in text:
        return ""
    for opening, closing in _HEADINGS:
        first = opening.search(text)
        if first and (last := closing.search(text, first.end())):
            return " ".join(text[first.start() : last.end()].split())[:40]
    return ""
