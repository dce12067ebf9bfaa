"""The statements of a Solidity file and their doc comments, told by comments, strings and brackets alone.

Covered: what a file that compiles can hold, also assembly blocks. Not covered: whether it compiles.
Which comment is a statement's NatSpec follows the compiler's scanner: the last doc comment between
the statement before and this one; `////` and `/***` begin plain comments."""

import re
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from finewright.sdk import DataError

UNNAMED = {"constructor", "receive", "fallback"}

_LINE_END = r"\n\r"
_DOC_LINE = rf"///(?!/)[^{_LINE_END}]*"
_TOKEN = re.compile(
    rf"""
      (?P<doc> {_DOC_LINE} (?: (?:\r\n|[{_LINE_END}]) [\ \t]* {_DOC_LINE} )*
             | /\*\* (?![*/]) .*? \*/ )
    | (?P<comment> //[^{_LINE_END}]* | /\*.*?\*/ )
    | (?P<code> "(?:\\.|[^"\\\n])*" | '(?:\\.|[^'\\\n])*' | [\w$]+ | [{{}}();] )
    | (?P<cut_off> /\* | ["'] )
    """,
    re.VERBOSE | re.DOTALL | re.ASCII,
)
_LICENSE = re.compile(r"SPDX-License-Identifier:[ \t]*([\w.+() \t-]*)")
_CLOSING = {"(": ")", "{": "}"}
_CONTRACTS = {"contract", "library", "interface"}


class Statement(NamedTuple):
    """Source that ends with a semicolon or a block; `block` is where its brace opens, -1 if none does.

    `words` are its first three tokens, and `natspec` is its doc comment without the marks."""

    words: tuple[str, ...]
    natspec: str
    start: int
    block: int
    stop: int

    @property
    def name(self) -> str:
        """What is declared; `constructor` and its like have no other name."""
        return self.words[0] if self.words[0] in UNNAMED else self.words[1]


class Contract(NamedTuple):
    """A contract, library or interface and what is declared in it."""

    kind: str
    name: str
    natspec: str
    members: tuple[Statement, ...]


@dataclass(frozen=True, slots=True)
class SourceUnit:
    """A file's SPDX expression, empty if there is none, and its statements in order.

    What is not in a contract is a Statement of its own."""

    license: str
    parts: tuple[Contract | Statement, ...]


def parse(text: str, file: str) -> SourceUnit:
    """The file's parts; DataError if its comments or brackets are cut."""
    tokens = list(_tokens(text, file))
    ends = _ends(tokens, file)
    found = _LICENSE.search(text)
    return SourceUnit(found[1].strip() if found else "", tuple(_parse_parts(tokens, ends)))


class _Token(NamedTuple):
    """A word, a string or a bracket, and the doc comment that stands before it."""

    text: str
    start: int
    doc: str


class _Span(NamedTuple):
    """Tokens from `start` to before `stop`; `block` is its opening brace, 0 if there is none."""

    start: int
    block: int
    stop: int


def _tokens(text: str, file: str) -> Iterator[_Token]:
    doc = ""
    for match in _TOKEN.finditer(text):
        if match.lastgroup == "doc":
            doc = match[0]
        elif match.lastgroup == "code":
            yield _Token(match[0], match.start(), doc)
            doc = ""
        elif match.lastgroup == "cut_off":
            line = text.count("\n", 0, match.start()) + 1
            raise DataError(f"{file}:{line}: a comment or string that does not end")


def _ends(tokens: Sequence[_Token], file: str) -> dict[int, int]:
    """Index of each opening bracket -> index of the one that closes it."""
    ends: dict[int, int] = {}
    opened: list[int] = []
    for index, token in enumerate(tokens):
        if token.text in _CLOSING:
            opened.append(index)
        elif token.text in _CLOSING.values():
            if not opened or _CLOSING[tokens[opened[-1]].text] != token.text:
                raise DataError(f"{file}: a {token.text!r} that nothing opens")
            ends[opened.pop()] = index
    if opened:
        raise DataError(f"{file}: a {tokens[opened[-1]].text!r} that nothing closes")
    return ends


def _parse_parts(
    tokens: Sequence[_Token], ends: Mapping[int, int]
) -> Iterator[Contract | Statement]:
    for top in _spans(tokens, ends, range(len(tokens))):
        words = [token.text for token in tokens[top.start : top.start + 3]]
        words = words[1:] if words[0] == "abstract" else words
        if words[0] not in _CONTRACTS:
            yield _statement(tokens, top)
        elif top.block:
            inside = _spans(tokens, ends, range(top.block + 1, top.stop - 1))
            members = tuple(_statement(tokens, member) for member in inside)
            yield Contract(words[0], words[1], _strip_comment(tokens[top.start].doc), members)


def _spans(tokens: Sequence[_Token], ends: Mapping[int, int], where: range) -> Iterator[_Span]:
    """What ends with a semicolon or with a block; brackets inside parentheses end nothing."""
    start = index = where.start
    while index < where.stop:
        text = tokens[index].text
        block = index if text == "{" else 0
        index = ends.get(index, index) + 1
        if block or text == ";":
            yield _Span(start, block, index)
            start = index


def _statement(tokens: Sequence[_Token], span: _Span) -> Statement:
    first = tokens[span.start]
    return Statement(
        words=tuple(token.text for token in tokens[span.start : min(span.start + 3, span.stop)]),
        natspec=_strip_comment(first.doc),
        start=first.start,
        block=tokens[span.block].start if span.block else -1,
        stop=tokens[span.stop - 1].start + 1,
    )


def _strip_comment(comment: str) -> str:
    """The text of a doc comment without its marks and its common indentation."""
    if comment.startswith("///"):
        lines = [line.strip().removeprefix("///") for line in comment.splitlines()]
    else:
        first, *rest = comment[3:-2].splitlines() if comment else [""]
        lines = [first, *(re.sub(r"^\s*\*?", "", line) for line in rest)]
    return textwrap.dedent("\n".join(line.rstrip() for line in lines)).strip("\n")
