"""The auditor's rows: of a function in its contract, the class of its flaw; and of that, the mended function.

The classes are trained on as often as each other; protocols of `protocols/held_out` are in no training row,
and are asked as they are written. Rows to train on differ by names and by how statements are written."""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache
from importlib.resources import files
from random import Random
from typing import NamedTuple

import yaml

from finewright.sdk import JsonRow, Model, default
from finewright_web3.audit.contracts import NAME, Protocol, find_needed, kit, protocols, scaffold
from finewright_web3.solidity import Function
from finewright_web3.solidity_syntax import UNNAMED, Contract, parse
from finewright_web3.values import one_of

FINDER = "You audit Solidity. Reply with the class of the function's flaw, or none."
MENDER = "You mend Solidity. Reply with the function without the flaw, and nothing else."
SOUND = "none"
LICENSE = "Apache-2.0"

_Rewrite = Callable[[str], str]


class _Dress(NamedTuple):
    """How a row differs from the file: other names everywhere, another style where it is seen."""

    rename: _Rewrite = str
    restyle: _Rewrite = str

    def both(self, text: str) -> str:
        """The text as it is seen."""
        return self.restyle(self.rename(text))


_DECLARED = re.compile(
    r"\b(?:contract|function|modifier|error|event|struct|enum)\s+(\w+)"
    r"|\b(?:u?int\d*|address|bool|bytes\d*|string|[A-Z]\w*|\))(?:\[\])?"
    r"(?:\s+(?:public|private|internal|constant|immutable|payable|memory|storage|calldata))*\s+(\w+)\s*[;,)=]"
)
_WORD = re.compile(r"[A-Za-z][a-z0-9]*")
_SAID = re.compile(r'("[^"\n]* [^"\n]*")')
_KIND = re.compile(r"(?:struct|enum|modifier|error|event) (\w+)")
_VALUE = re.compile(r"(?<!=)=(?!>)[^;]*;$")
_STYLES = (
    (r"require\(([^;\"]*), (\"[^\"\n]*\")\);", r"if (!(\1)) revert(\2);"),
    (r"require\(([^;\"]*), \"[^\"\n]*\"\);", r"require(\1);"),
    (r"([\w.]+(?:\[[^\]\n]*\])*) ([+-])= ([^;\n]+);", r"\1 = \1 \2 (\3);"),
    (r"\bmsg\.sender\.call\{", "payable(msg.sender).call{"),
    (r"\b(\w+)\[([^\]\n]+)\] = 0;", r"delete \1[\2];"),
)
"""Other ways to write the same, each taken by half of the rows."""
_STYLE_SHARE = 0.5
_KEPT_SHARE = 0.3
_TRIES = 40


class AuditSettings(Model):
    """How many rows are trained on."""

    rows_of_a_class: int = default(
        100, "Training rows of each class", "rare classes count as much as common ones", ge=1
    )
    sound_rows: int = default(
        300, "Training rows of sound functions", "three times a class: most functions are", ge=0
    )
    seed: int = default(0, "Seed of names and order", "any fixed number repeats the set")


class AuditSet(NamedTuple):
    """The rows of each split, of findings and of patches; no protocol is on both sides."""

    train: tuple[JsonRow, ...]
    test: tuple[JsonRow, ...]
    patches_train: tuple[JsonRow, ...]
    patches_test: tuple[JsonRow, ...]


def build_audits(settings: AuditSettings) -> AuditSet:
    """Rows of every function as it should be and with its flaws; train rows differ by names and style."""
    seen = _cases(protocols("seen").values())
    rng = Random(settings.seed)  # noqa: S311 - an order, no secret
    drawn = [
        case
        for kind in sorted({case.kind for case in seen})
        for case in _drawn(seen, kind, settings)
    ]
    rng.shuffle(drawn)
    held_out = _cases(protocols("held_out").values())
    return AuditSet(
        tuple(_finding(case) for case in drawn),
        tuple(_finding(case) for case in held_out),
        tuple(_patch(case) for case in drawn if case.kind != SOUND),
        tuple(_patch(case) for case in held_out if case.kind != SOUND),
    )


class _Case(NamedTuple):
    """A function of a protocol with a flaw or none, and how it is dressed."""

    protocol: Protocol
    kind: str
    shown: Function
    fixed: Function
    exploit: str = ""
    dress: _Dress = _Dress()

    def question(self) -> str:
        """The contract with this function alone, as it is seen."""
        return self.dress.both(show(self.protocol, self.shown, self.fixed))


def _cases(of: Iterable[Protocol]) -> list[_Case]:
    """Every function but constructors, sound, and then every flaw."""
    return [
        case
        for protocol in of
        for case in (
            *(_Case(protocol, SOUND, f, f) for f in protocol.functions if f.name not in UNNAMED),
            *(_Case(protocol, f.kind, f.flawed, f.fixed, f.exploit) for f in protocol.flaws),
        )
    ]


def _drawn(cases: Sequence[_Case], kind: str, settings: AuditSettings) -> Iterator[_Case]:
    """So many cases of a class, its functions taking turns, none of which is asked twice."""
    own = [case for case in cases if case.kind == kind]
    rng = Random(f"{settings.seed}|{kind}")  # noqa: S311 - names, no secret
    questions: set[str] = set()
    wanted = settings.sound_rows if kind == SOUND else settings.rows_of_a_class
    for number in range(_TRIES * wanted):
        case = own[number % len(own)]
        case = case._replace(dress=_Dress(_new_names(case.protocol, rng), _new_style(rng)))
        if len(questions) == wanted:
            return
        if (question := case.question()) not in questions:
            questions.add(question)
            yield case


def _finding(case: _Case) -> JsonRow:
    return _row(case, FINDER, case.question(), case.kind)


def _patch(case: _Case) -> JsonRow:
    patch = case.dress.both(case.fixed.code)
    scaffolding = scaffold(case.protocol, case.fixed, ["Use", case.exploit])
    check = {
        "scaffold": case.dress.rename(scaffolding),
        "contract": case.dress.rename(case.protocol.contract),
        "reference": patch,
        "seed": 0,
        "exploit": case.exploit,
        "use": "Use",
    }
    text = f"{case.question()}\n\nFlaw: {case.kind}"
    return {**_row(case, MENDER, text, patch), "check": json.dumps(check, ensure_ascii=False)}


def _row(case: _Case, system: str, question: str, answer: str) -> JsonRow:
    turns = {"system": system, "user": question, "assistant": answer}
    of = {"protocol": case.protocol.name, "function": case.fixed.name, "exploit": case.exploit}
    return {
        "messages": [{"role": role, "content": text} for role, text in turns.items()],
        "class": case.kind,
        "license": LICENSE,
        "meta": of,
    }


def show(protocol: Protocol, shown: Function, fixed: Function) -> str:
    """The contract with this function alone, and what else of it the function or its fixed form need."""
    declared = {name: text for name, text in _declarations(protocol).items() if name != shown.name}
    needed = find_needed(NAME.findall(f"{shown.code}\n{fixed.code}"), declared)
    head = "\n".join(f"    {text}" for name, text in declared.items() if name in needed)
    body = re.sub(r"^(?=.)", "    ", shown.code, flags=re.M)
    return f"contract {protocol.contract} {{\n{head}\n\n{body}\n}}"


def _declarations(protocol: Protocol) -> dict[str, str]:
    """What a contract declares by its names; of a function its head alone."""
    declared: dict[str, str] = {}
    for part in parse(protocol.source, protocol.name).parts:
        for member in part.members if isinstance(part, Contract) else ():
            text = protocol.source[member.start : member.stop]
            if member.words[0] == "function":
                declared[member.name] = protocol.source[member.start : member.block].strip() + ";"
            elif member.words[0] not in UNNAMED:
                named = _KIND.match(text)
                declared[named[1] if named else NAME.findall(_VALUE.sub("", text))[-1]] = text
    return declared


@cache
def _words() -> Mapping[str, list[str]]:
    text = files("finewright_web3.audit").joinpath("words.yaml").read_text(encoding="utf-8")
    return {word: list(others) for word, others in yaml.safe_load(text).items()}


def _new_names(protocol: Protocol, rng: Random) -> _Rewrite:
    """Puts other words into the names that the contract declares, and into what its errors say."""
    words = {
        word: one_of(rng, others) for word, others in _words().items() if rng.random() > _KEPT_SHARE
    }
    taken = set(NAME.findall("\n".join([protocol.source, *protocol.scene.values()])))
    of_kit = set(NAME.findall("\n".join(kit().values())))
    names: dict[str, str] = {}
    for found in _DECLARED.finditer(protocol.source):
        old = found[1] or found[2]
        new = _WORD.sub(lambda match: _as_cased(match[0], words), old)
        if new not in taken and old not in {*names, *of_kit}:
            names[old] = new
            taken.add(new)

    def rename(text: str) -> str:
        parts = _SAID.split(text)
        parts[::2] = [NAME.sub(lambda m: names.get(m[0], m[0]), part) for part in parts[::2]]
        parts[1::2] = [_WORD.sub(lambda m: words.get(m[0], m[0]), part) for part in parts[1::2]]
        return "".join(parts)

    return rename


def _as_cased(word: str, words: Mapping[str, str]) -> str:
    new = words.get(word.lower(), word)
    return new[0].upper() + new[1:] if word[0].isupper() else new


def _new_style(rng: Random) -> _Rewrite:
    """Writes some statements in another way that does the same."""
    chosen = [style for style in _STYLES if rng.random() < _STYLE_SHARE]

    def restyle(text: str) -> str:
        for pattern, other in chosen:
            text = re.sub(pattern, other, text)
        return text

    return restyle
