"""The functions with a body in a Solidity file, as they stand there."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from finewright_web3.solidity_syntax import UNNAMED, Contract, parse


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
    unit = parse(text, file)
    for part in unit.parts:
        members = part.members if isinstance(part, Contract) else (part,)
        for member in members:
            if member.block >= 0 and member.words[0] in {"function", *UNNAMED}:
                yield Function(
                    file=file,
                    license=unit.license,
                    contract=part.name if isinstance(part, Contract) else "",
                    name=member.name,
                    natspec=member.natspec,
                    indent=_indent(text[: member.start]),
                    header=text[member.start : member.block],
                    body=text[member.block : member.stop],
                )


def _indent(before: str) -> int:
    """How far the code after this text is indented; 0 if other code stands before it."""
    line = before[before.rfind("\n") + 1 :]
    return len(line) if not line.strip() else 0
