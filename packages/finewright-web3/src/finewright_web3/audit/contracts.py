"""Sound contracts, and their flaws: each is made by a mark in the contract, and has an exploit that runs.

A file of `protocols/` is a sound contract, the line `//! scene`, and contracts that use and attack it.
Between `//[` and `//]` stand sound lines, then `//| class Exploit` for each flaw with lines, after `//: `,
that stand there instead. `Use` is what everyone may do. What a scene's `run()` says is true has happened."""

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Literal, NamedTuple

from finewright.sdk import DataError
from finewright_web3.solidity import Function, functions

HOLE = "{{answer}}"
NAME = re.compile(r"\b[A-Za-z_]\w*\b")
"""A name of Solidity's, or a word of its own."""

_SCENE = "//! scene\n"
_PRAGMA = "pragma solidity ^0.8.20;"
_HEAD = re.compile(r"^(?:// SPDX|pragma )[^\n]*\n", re.M)
_PART = re.compile(r"^((?:///[^\n]*\n)?(?:contract|library|interface) (\w+))", re.M)
_TITLE = re.compile(r"\S+ \w+")


class Flaw(NamedTuple):
    """A function as it should be and as it is, and the contract of the scene that shows the difference."""

    kind: str
    exploit: str
    fixed: Function
    flawed: Function


class Protocol(NamedTuple):
    """A sound contract with its functions, what uses and attacks it, and its flaws."""

    name: str
    contract: str
    source: str
    functions: tuple[Function, ...]
    scene: Mapping[str, str]
    flaws: tuple[Flaw, ...]


@cache
def protocols(side: Literal["seen", "held_out"]) -> Mapping[str, Protocol]:
    """The protocols of a side by their names: those trained on, or those that training never sees."""
    return {
        name: read_protocol(text, name, kit()) for name, text in _texts(f"protocols/{side}").items()
    }


@cache
def kit() -> Mapping[str, str]:
    """What scenes are made of: accounts, a token, prices."""
    return _parts(_texts("protocols")["kit"])


def _texts(folder: str) -> dict[str, str]:
    found = sorted(
        files("finewright_web3.audit").joinpath(folder).iterdir(), key=lambda file: file.name
    )
    return {
        file.name.removesuffix(".sol"): file.read_text(encoding="utf-8")
        for file in found
        if file.name.endswith(".sol")
    }


def read_protocol(text: str, name: str, kit: Mapping[str, str]) -> Protocol:
    """The protocol in a marked file; DataError where marks do not fit each other or change no function."""
    marked, found, scene = text.partition(_SCENE)
    if not found:
        raise DataError(f"{name}: has no line {_SCENE.strip()!r}")
    pieces = list(_pieces(marked, name))
    sound = _written(pieces, -1, "")
    flaws = tuple(
        _flaw(sound, _written(pieces, index, alternative), alternative, name)
        for index, piece in enumerate(pieces)
        for alternative in piece.flaws
    )
    contract = re.search(r"^contract (\w+)", sound, re.M)
    if contract is None:
        raise DataError(f"{name}: has no contract")
    return Protocol(
        name, contract[1], sound, tuple(functions(sound, name)), {**kit, **_parts(scene)}, flaws
    )


def scaffold(protocol: Protocol, function: Function, roots: Sequence[str]) -> str:
    """The sound contract with a hole in place of the function, and of its scene what the roots need."""
    source = _HEAD.sub("", protocol.source.replace(function.header + function.body, HOLE))
    needed = find_needed([*roots, *NAME.findall(protocol.source)], protocol.scene)
    return (
        "\n\n".join(
            [
                f"{_PRAGMA}\n\n{source.strip()}",
                *(text for name, text in protocol.scene.items() if name in needed),
            ]
        )
        + "\n"
    )


def find_needed(names: Sequence[str], declared: Mapping[str, str]) -> set[str]:
    """Those of the names that are declared, and of what is declared that their texts name in turn."""
    needed: set[str] = set()
    wanted = list(names)
    while wanted:
        name = wanted.pop()
        if name in declared and name not in needed:
            needed.add(name)
            wanted += NAME.findall(declared[name])
    return needed


class _Piece(NamedTuple):
    """Sound lines, and those that stand there in each flaw: `class Exploit` -> lines."""

    sound: str
    flaws: dict[str, str]


def _pieces(text: str, name: str) -> Iterator[_Piece]:
    piece, opened, flaw = _Piece("", {}), False, ""
    for number, line in enumerate(text.splitlines(keepends=True), start=1):
        mark, said = line.strip()[:3], line.strip()[3:].strip()
        if mark == ("//]" if opened else "//["):
            yield piece
            piece, opened, flaw = _Piece("", {}), not opened, ""
        elif mark == "//|" and opened and _TITLE.fullmatch(said):
            flaw = said
            piece.flaws[flaw] = ""
        elif mark == "//:" and flaw:
            piece.flaws[flaw] += line.replace("//: ", "", 1)
        elif mark in {"//[", "//]", "//|", "//:"} or flaw:
            raise DataError(f"{name}:{number}: {line.strip()!r} is not expected here")
        else:
            piece = piece._replace(sound=piece.sound + line)
    if opened:
        raise DataError(f"{name}: the last '//[' does not end")
    yield piece


def _written(pieces: Sequence[_Piece], index: int, flaw: str) -> str:
    return "".join(
        piece.flaws[flaw] if number == index else piece.sound for number, piece in enumerate(pieces)
    )


def _flaw(sound: str, flawed: str, said: str, name: str) -> Flaw:
    kind, exploit = said.split()
    pairs = zip(functions(sound, name), functions(flawed, name), strict=True)
    changed = [(good, bad) for good, bad in pairs if good.code != bad.code]
    if len(changed) != 1:
        raise DataError(f"{name}: {said} changes {len(changed)} functions, not one")
    return Flaw(kind, exploit, *changed[0])


def _parts(text: str) -> dict[str, str]:
    """The contracts of a text by their names, each with the comment before it."""
    found = _PART.split(_HEAD.sub("", text))
    heads, names, bodies = found[1::3], found[2::3], found[3::3]
    return {
        name: head + body.rstrip() for head, name, body in zip(heads, names, bodies, strict=True)
    }
