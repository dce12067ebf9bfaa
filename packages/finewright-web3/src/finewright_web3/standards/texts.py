"""The text of a standard: what its front matter says, its Markdown as it is indexed, and its sentences.

Links are left as their words, bold type as plain words, and pictures, comments, tests and reference
implementations are left out; all else is as the authors wrote it, so that a sentence can be quoted."""

import re
from collections.abc import Iterator
from typing import NamedTuple

from finewright.sdk import DataError

LICENSE = "CC0-1.0"
_WAIVED = "Copyright and related rights waived via [CC0]"
_FRONT = re.compile(r"\A---\n(.*?)\n---\n", re.S)
_KEY = re.compile(r"^([\w-]+): *(.*)$", re.M)
_LEFT_OUT = re.compile(
    r"(tests?|test cases|(reference |example )?implementations?|copyright|references)\b", re.I
)
"""Headings of the second level whose sections are no part of what a standard says."""
_FENCE = re.compile(r"^ {0,6}(```|~~~)")
_HEADING = re.compile(r"^(#{2,6}) +(.+?) *#*$")
_IMAGE = re.compile(r"!\[[^\]]*\]\([^)]*\)|<!--.*?-->", re.S)
_LINK = re.compile(r"\[([^\[\]]*(?:\[[^\[\]]*\])?[^\[\]]*)\]\((?:[^()\s]|\([^()]*\))*\)")
_BOLD = re.compile(r"\*\*([^*\n]+?)\*\*|__([^_\n]+?)__")
_ITEM = re.compile(r"^\s*(?:[-+*]|\d{1,3}[.)])\s+")
# After the mark, where a sentence begins; not after an abbreviation.
_SENTENCE_END = re.compile(
    r"(?<=[.!?:])(?<!e\.g\.)(?<!i\.e\.)(?<!etc\.)(?<!cf\.)(?<!vs\.)\s+(?=[A-Z`\"(])"
)


class StandardSentence(NamedTuple):
    """A sentence or an item of a list, its white space as one blank, and the headings above it."""

    text: str
    headings: tuple[str, ...]
    is_item: bool
    is_first: bool
    """Whether it begins its section."""


class Standard(NamedTuple):
    """A standard; `text` is its Markdown without front matter, under a heading of its own."""

    number: int
    title: str
    text: str
    path: str

    @property
    def id(self) -> str:
        """`erc-20`."""
        return f"erc-{self.number}"

    @property
    def name(self) -> str:
        """`ERC-20`."""
        return f"ERC-{self.number}"


def read_standard(path: str, source: str) -> Standard:
    """The standard of a file. Raises DataError where it has no front matter or does not waive copyright."""
    front = _FRONT.match(source)
    keys = dict(_KEY.findall(front[1])) if front else {}
    if front is None or not keys.get("eip", "").isdigit() or not keys.get("title"):
        raise DataError(f"{path}: no front matter that names a number and a title")
    if _WAIVED not in source:
        raise DataError(f"{path}: does not say that copyright is waived by CC0")
    body = _plain("\n".join(_kept(source[front.end() :])))
    number, title = int(keys["eip"]), keys["title"].strip()
    text = f"# ERC-{number}: {title}\n\n{keys.get('description', '').strip()}\n\n{body.strip()}\n"
    return Standard(number, title, re.sub(r"\n{3,}", "\n\n", text), path)


def _kept(body: str) -> Iterator[str]:
    """The lines of the sections that say what the standard is."""
    is_kept, is_code = True, False
    for line in body.splitlines():
        is_code ^= bool(_FENCE.match(line))
        heading = None if is_code else _HEADING.match(line)
        if heading and len(heading[1]) == len("##"):
            is_kept = not _LEFT_OUT.match(heading[2])
        if is_kept:
            yield line.removesuffix("\\")


def _plain(markdown: str) -> str:
    """Without links, pictures and bold type, but for what stands in code."""
    parts = re.split(r"(^ {0,6}(?:```|~~~).*?^ {0,6}(?:```|~~~) *$)", markdown, flags=re.S | re.M)
    return "".join(part if at % 2 else _plain_prose(part) for at, part in enumerate(parts))


def _plain_prose(text: str) -> str:
    text = _LINK.sub(r"\1", _IMAGE.sub("", text))
    return _BOLD.sub(lambda found: found[1] or found[2], text)


def sentences(standard: Standard) -> Iterator[StandardSentence]:
    """The sentences of its prose and lists in their order; tables and code have none."""
    headings: list[str] = []
    is_first = False
    for block in _blocks(standard.text):
        if heading := _HEADING.match(block[0]):
            headings = [*headings[: len(heading[1]) - len("##")], heading[2]]
            is_first = True
            continue
        is_item = bool(_ITEM.match(block[0]))
        whole = " ".join(" ".join([_ITEM.sub("", block[0]), *block[1:]]).split())
        for text in _SENTENCE_END.split(whole):
            yield StandardSentence(text, tuple(headings), is_item, is_first)
            is_first = False


def _blocks(text: str) -> Iterator[list[str]]:
    """Headings, paragraphs and items of lists, as their lines."""
    block: list[str] = []
    is_code = False
    for line in text.splitlines():
        is_fence = bool(_FENCE.match(line))
        is_code ^= is_fence
        is_heading = not is_code and line.startswith("#")
        ends = is_fence or is_code or not line.strip() or line.lstrip().startswith("|")
        if block and (ends or is_heading or _ITEM.match(line)):
            yield block
            block = []
        if is_heading:
            yield [line]
        elif not ends:
            block.append(line)
    if block:
        yield block
