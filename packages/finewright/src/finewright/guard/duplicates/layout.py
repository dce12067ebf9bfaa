"""Rows without what only lays them out: tags and entities of HTML around prose, bullets, long dashes.

A row is prose in HTML where its question begins with a tag of a block, or an answer of eight words and more
does, and no other tags than those of prose are in it. Elsewhere a tag is what is spoken of, and so it is
where the question is about markup.

Rows joined by pairs: the group of each, and which row of near ones is kept.

Rows that are the same: by what they say, or but for case, spaces and forms of characters."""

import html
import re
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from finewright.schema.rows import RowParts


class Original(NamedTuple):
    """The earlier row that says a row's words, and how near it is."""

    row: int
    similarity: float


@dataclass(slots=True)
class Leaders:
    """Each row that is near an earlier row which stays, and that row.

    `unfinished` are those that were compared with as many rows as a row may be, and not with all."""

    found: dict[int, Original] = field(default_factory=dict)
    unfinished: set[int] = field(default_factory=set)


_BLOCK = re.compile(
    r"\s*<(?:p|div|span|ul|ol|li|h[1-6]|br|blockquote|section|article)\b[^<>]*>", re.I
)
_PROSE_TAG = re.compile(
    r"</?(?:p|div|span|ul|ol|li|h[1-6]|br|blockquote|section|article|b|i|u|em|strong|a|hr)\b[^<>]*>",
    re.I,
)
_TAG = re.compile(r"</?[a-z][\w-]*(?:\s[^<>]*)?/?>", re.I)
# What stands for a quotation mark, a space or a dash in prose; `&lt;` may be what is spoken of.
_QUOTES = re.compile(r"&(?:nbsp|#160|#0?39|#x27|apos|quot|[lr][sd]quo|[mn]dash|hellip|shy);")
_AMPERSAND = re.compile(r"(?<=\w) ?&amp; ?(?=\w)")
_ABOUT_MARKUP = re.compile(
    r"\b(?:(?i:x?html5?|xml|css|markup|markdown|anchors?|headings?|bold|italics?|hyperlinks?|fett|kursiv"
    r"|(?:un)?ordered list|ul|ol|li)|tags?|tagged)\b"
)
# Of the lines of code some begin with a minus; the text begins with none and a space.
_BULLET = re.compile(
    r"\A\s*[-*\u2022\u2013\u2014] +(?=\w)"
    r"|(?m:^)[ \t]*[-*\u2022\u2013\u2014] +(?=[^\W_]{2}[^=;(){}<>\n]*(?m:$))"
)
_MINUS = re.compile(r"(?<=[\w)] )[\u2212\u2013\u2014](?= [\d(])")
_LONG_SIGNS = ("\u2013 ", "\u2014 ", "\u2212 ", "\u2022 ")
_PATCH = re.compile(r"^\+(?!\+)|^@@ ", re.M)
# An answer of one line may be an item: three words, and no number, or many.
_ITEM = re.compile(r"\s*[-*\u2022\u2013\u2014] (?=[^\W\d_]{2})(?:[^\s\d=+]+(?:\s|$)){3}")
_FEWEST_WORDS, _FEWEST_BULLETS = 8, 2


def without_layout(row: RowParts) -> RowParts:
    """The row with its prompt and answers as plain prose; the row itself where nothing is laid out."""
    if not any(map(_may_be_laid_out, (*row.prompt, *row.answered))):
        return row
    if any(map(_ABOUT_MARKUP.search, row.prompt)):
        return row
    is_marked_up = any(_is_marked_up(text, 1) for text in row.prompt)
    prompt, answered = (
        [_strip_markup(text, is_marked_up, is_answer=is_answer) for text in texts]
        for is_answer, texts in ((False, row.prompt), (True, row.answered))
    )
    return row._replace(prompt=prompt, answered=answered)


def _may_be_laid_out(text: str) -> bool:
    """Quickly: most texts have none of these signs."""
    return (
        "<" in text
        or "&" in text
        or "\n- " in text
        or "\n* " in text
        or text.startswith(("- ", "* "))
        or (not text.isascii() and any(map(text.__contains__, _LONG_SIGNS)))
    )


def _strip_markup(text: str, row_is_marked_up: bool, *, is_answer: bool) -> str:
    if _is_marked_up(text, 1 if row_is_marked_up else _FEWEST_WORDS):
        text = html.unescape(_PROSE_TAG.sub("\n", text))
    elif "&" in text:
        text = _AMPERSAND.sub(" & ", _QUOTES.sub(_character, text))
    return _MINUS.sub("-", _without_bullets(text, is_answer=is_answer))


def _without_bullets(text: str, *, is_answer: bool) -> str:
    """One line alone that begins with a dash is a list where it is an answer of words; else the dash is a
    minus or a signature, and so it is in a patch."""
    if _PATCH.search(text):
        return text
    is_item = is_answer and (_ITEM.match(text) or len(text.split()) > _FEWEST_WORDS)
    is_list = is_item or len(_BULLET.findall(text)) >= _FEWEST_BULLETS
    return _BULLET.sub("", text) if is_list else text


def _character(entity: re.Match[str]) -> str:
    return html.unescape(entity[0])


def _is_marked_up(text: str, fewest_words: int) -> bool:
    if not _BLOCK.match(text):
        return False
    is_prose = all(map(_PROSE_TAG.fullmatch, _TAG.findall(text)))
    return is_prose and len(_TAG.sub(" ", text).split()) >= fewest_words


def join_pairs(num_rows: int, pairs: Iterable[tuple[int, int]]) -> list[int]:
    """For each row the first row of its group; rows of a pair, and of pairs that touch, share one.

    Union-find with path halving; the lower row is always the root, so the order of the pairs does not
    matter."""
    parent = list(range(num_rows))

    def root(row: int) -> int:
        while parent[row] != row:
            parent[row] = parent[parent[row]]
            row = parent[row]
        return row

    for one, other in pairs:
        low, high = sorted((root(one), root(other)))
        parent[high] = low
    return [root(row) for row in range(num_rows)]


def leaders(
    pairs: Iterable[tuple[int, int]],
    near: Callable[[int, int], float | None],
    most_compared: int | None = None,
) -> Leaders:
    """Each row that is near an earlier row which stays. All others stay.

    `pairs` are candidates (earlier, later), those of a later row together, after all of each row before.
    A row is only ever left out for a row that stays and that `near` confirms: in a chain of small edits
    A, B, C the last one stays, unless it is near A itself. Plain union-find would leave C out for a B that
    is gone. So a family of repeats costs a comparison a row; rows that are alike and no repeats are
    compared with each other, each with at most `most_compared`."""
    led = Leaders()
    tried: set[int] = set()
    last = -1
    for earlier, later in pairs:
        if later != last:
            last, tried = later, set()
        if later in led.found:
            continue
        stays = led.found[earlier].row if earlier in led.found else earlier
        if stays in tried:
            continue
        if len(tried) == most_compared:
            led.unfinished.add(later)
            continue
        tried.add(stays)
        similarity = near(stays, later)
        if similarity is not None:
            led.found[later] = Original(stays, similarity)
    return led


def repeats(keys: Iterable[Hashable]) -> dict[int, int]:
    """Place of each key that was there before -> the place where it was first."""
    first: dict[Hashable, int] = {}
    found = {}
    for i, key in enumerate(keys):
        if first.setdefault(key, i) != i:
            found[i] = first[key]
    return found
