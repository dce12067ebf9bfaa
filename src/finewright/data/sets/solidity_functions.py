"""The functions with a body in a Solidity file, told by comments, strings and brackets alone.

Covered: what a file that compiles can hold, also assembly blocks. Not covered: whether it compiles.
Which comment is a function's NatSpec follows the compiler's scanner: the last doc comment between
the statement before and the function; `////` and `/***` begin plain comments."""

import re
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from finewright.errors import DataError

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
_UNNAMED = {"constructor", "receive", "fallback"}


@dataclass(frozen=True, slots=True)
class Function:
    """A function as it stands in its file: `header + body` is its source, unchanged.

    `contract` is empty for a free function; `natspec` is the comment without its marks, and
    `license` the file's SPDX expression, each empty if there is none."""

    file: str
    license: str
    contract: str
    name: str
    natspec: str
    indent: int
    header: str
    body: str

    @property
    def signature(self) -> str:
        """All that stands before the body, without the indentation of the file."""
        return self._dedented(self.header).rstrip()

    @property
    def code(self) -> str:
        """The whole function without the indentation of the file."""
        return self._dedented(self.header + self.body)

    def _dedented(self, source: str) -> str:
        return re.sub(rf"^[ \t]{{0,{self.indent}}}", "", source, flags=re.M)


def functions(text: str, file: str) -> Iterator[Function]:
    """The functions with a body, in the file's order; DataError if comments or brackets are cut."""
    tokens = list(_tokens(text, file))
    ends = _ends(tokens, file)
    found = _LICENSE.search(text)
    about = _File(text, file, found[1].strip() if found else "")
    for top in _statements(tokens, ends, range(len(tokens))):
        words = [token.text for token in tokens[top.start : top.start + 3]]
        words = words[1:] if words[0] == "abstract" else words
        if words[0] not in _CONTRACTS:
            yield from _function(about, "", tokens, top)
        elif top.block:
            for member in _statements(tokens, ends, range(top.block + 1, top.stop - 1)):
                yield from _function(about, words[1], tokens, member)


class _File(NamedTuple):
    text: str
    name: str
    license: str


class _Token(NamedTuple):
    """A word, a string or a bracket, and the doc comment that stands before it."""

    text: str
    start: int
    doc: str


class _Statement(NamedTuple):
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


def _statements(
    tokens: Sequence[_Token], ends: dict[int, int], where: range
) -> Iterator[_Statement]:
    """What ends with a semicolon or with a block; brackets inside parentheses end nothing."""
    start = index = where.start
    while index < where.stop:
        text = tokens[index].text
        block = index if text == "{" else 0
        index = ends.get(index, index) + 1
        if block or text == ";":
            yield _Statement(start, block, index)
            start = index


def _function(
    about: _File, contract: str, tokens: Sequence[_Token], statement: _Statement
) -> Iterator[Function]:
    first = tokens[statement.start]
    if not statement.block or first.text not in {"function", *_UNNAMED}:
        return
    start, block = first.start, tokens[statement.block].start
    yield Function(
        file=about.name,
        license=about.license,
        contract=contract,
        name=first.text if first.text in _UNNAMED else tokens[statement.start + 1].text,
        natspec=_natspec(first.doc),
        indent=_indent(about.text[:start]),
        header=about.text[start:block],
        body=about.text[block : tokens[statement.stop - 1].start + 1],
    )


def _indent(before: str) -> int:
    """How far the code after this text is indented; 0 if other code stands before it."""
    line = before[before.rfind("\n") + 1 :]
    return len(line) if not line.strip() else 0


def _natspec(comment: str) -> str:
    """The text of a doc comment without its marks and its common indentation."""
    if comment.startswith("///"):
        lines = [line.strip().removeprefix("///") for line in comment.splitlines()]
    else:
        first, *rest = comment[3:-2].splitlines() if comment else [""]
        lines = [first, *(re.sub(r"^\s*\*?", "", line) for line in rest)]
    return textwrap.dedent("\n".join(line.rstrip() for line in lines)).strip("\n")
