"""NatSpec as Markdown: its tags become sections, AsciiDoc marks and references become plain text.

By Solidity's NatSpec format; the AsciiDoc is what OpenZeppelin's comments hold. `@author`, `@custom:`
and what other tags are for tools alone is left out."""

import re
import textwrap
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

_TAG = re.compile(r"^[ \t]*@([a-z]+(?::[\w-]+)?)\b[ \t]*(.*)$")
_SAID = {"notice", "dev", "title"}
_NAMED = re.compile(r"^(\w+)\s*[:-]?\s*(.*)$", re.S)


def _anchor(match: re.Match[str]) -> str:
    """A reference as Solidity has it: `Token-take-address-uint256-` is `Token.take(address,uint256)`."""
    head, *rest = match[1].split("-")
    if rest and head[:1].isupper():
        head = f"{head}.{rest.pop(0)}"
    types = ",".join(filter(None, rest))
    return f"`{head}({types})`" if rest else f"`{head}`"


_REFERENCE = r"[\w.\[\]-]+(?:\([\w,.\[\] -]*\))?"
_REPLACED: tuple[tuple[str, str | Callable[[re.Match[str]], str]], ...] = (
    (r"^[ \t]*\[(\w+)\]\n[ \t]*={4,}\n[ \t]*", r"\1: "),
    (r"^[ \t]*={4,}$", ""),
    (r"^(={1,4}) (?=\S)", lambda match: f"{'#' * (len(match[1]) + 1)} "),
    (r"\bxref:[^\s\[]*\[([^\]]*)\]", r"\1"),
    (r"\blink:(\S+?)\[([^\]]*)\]", r"[\2](\1)"),
    (r"\b(https?://[^\s\[\]]+)\[([^\]]+)\]", r"[\2](\1)"),
    (r"(?<!\\)\{[\w.-]+\}\[([^\]]*)\]", r"\1"),
    (rf"`?(?<!\\)\{{({_REFERENCE})\}}`?", _anchor),
    (r"^([ \t]*)\* ", r"\1- "),
    (r"\\([{}])", r"\1"),
    (r"[ \t]+$", ""),
    (r"\n{3,}", "\n\n"),
)
_FENCED = re.compile(r"(^[ \t]*```.*?^[ \t]*```[ \t]*$)", re.M | re.S)
_OWN_SENTENCE = re.compile(r"(?<![.:,;])\s*\n\s*(?=(?:Emits|Only|Requires?)\b)")
_MERE_REFERENCE = re.compile(r"^See `[^`]+`\.\s+(?=\S)|(?<=\S)\s+See `[^`]+`\.?$")
# What begins a line of its own: a point of a list, a parameter explained without its tag, and a
# sentence after one that has no full stop.
_OWN_LINE = r"[ \t]*(?:- |\d+[.:] |`\w+` (?:is|are|determines) )|(?<![.,:;]\n)[A-Z][a-z]+ [a-z]"


@dataclass(frozen=True, slots=True)
class NatSpec:
    """A doc comment: what it says in Markdown, its parameters and results, and whose text it takes over."""

    said: str
    params: tuple[tuple[str, str], ...]
    returns: tuple[str, ...]
    inherits: str

    def markdown(self) -> str:
        """All of it, as it stands on a page; empty if the comment says nothing."""
        parts = [
            self.said,
            f"Inherits the documentation of `{self.inherits}`." * bool(self.inherits),
        ]
        if self.params:
            parts.append("\n".join(f"- `{name}`: {text}" for name, text in self.params))
        if self.returns:
            parts.append("\n".join(f"- returns {text}" for text in self.returns))
        return "\n\n".join(part for part in parts if part)


def read_natspec(comment: str) -> NatSpec:
    """The sections of a comment without its marks; a text before any tag is a notice."""
    said: list[str] = []
    params: list[tuple[str, str]] = []
    returns: list[str] = []
    inherits = ""
    for tag, text in _sections(comment):
        if tag in _SAID:
            said.append(_markdown(text))
        elif tag == "param" and (named := _NAMED.match(_one_line(text))):
            params.append((named[1], named[2]))
        elif tag == "return":
            returns.append(_one_line(text))
        elif tag == "inheritdoc":
            inherits = text.strip()
    return NatSpec("\n\n".join(filter(None, said)), tuple(params), tuple(returns), inherits)


def first_statement(markdown: str) -> str:
    """The first paragraph without its line breaks, with the list after it if it announces one.

    A reference before or after it (`See ...`) is left out."""
    first, _, rest = _MERE_REFERENCE.sub("", markdown, count=1).partition("\n\n")
    if first.endswith((":", ",")) and rest:
        return f"{_reflow(first)}\n{rest.partition(chr(10) * 2)[0]}"
    return _MERE_REFERENCE.sub("", _reflow(first))


def _sections(comment: str) -> Iterator[tuple[str, str]]:
    tag, first, rest = "notice", "", list[str]()
    for line in comment.replace("\N{NO-BREAK SPACE}", " ").splitlines():
        if found := _TAG.match(line):
            yield tag, _section(first, rest)
            tag, first, rest = found[1], found[2], []
        else:
            rest.append(line)
    yield tag, _section(first, rest)


def _section(first: str, rest: Sequence[str]) -> str:
    """The text after a tag and the lines below, which may be indented under it."""
    return f"{first}\n{textwrap.dedent(chr(10).join(rest))}"


def _markdown(text: str) -> str:
    """Code blocks stay as they are: braces and stars mean something else there."""
    parts = _FENCED.split(text)
    for index in range(0, len(parts), 2):
        for pattern, by in _REPLACED:
            parts[index] = re.sub(pattern, by, parts[index], flags=re.M)
    return "".join(parts).strip()


def _one_line(text: str) -> str:
    return re.sub(r"\s+", " ", _OWN_SENTENCE.sub(". ", _markdown(text))).strip()


def _reflow(paragraph: str) -> str:
    return re.sub(rf"\s*\n(?!{_OWN_LINE})\s*", " ", paragraph).strip()
