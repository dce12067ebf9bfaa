"""The auditor's rows: a contract, asked for its flaw, answered with the class, the function and the patch.

The classes are trained on about as often; protocols of `contracts/held_out` are in no training row. Rows to
train on differ by names, by the order of functions and by what else of the contract is shown."""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from importlib.resources import files
from itertools import islice
from random import Random
from typing import NamedTuple

import yaml

from finewright.sdk import JsonRow, Model, default
from finewright_web3.audit_contracts import Flaw, Protocol, kit, protocols, scaffold
from finewright_web3.solidity import Function
from finewright_web3.solidity_syntax import UNNAMED, Contract, parse
from finewright_web3.values import one_of

SYSTEM = 'You audit Solidity. Reply with JSON: {"class", "function", "patch"}; the class is none if all is well.'
SOUND = "none"

_Rewrite = Callable[[str], str]


class _Dress(NamedTuple):
    """How the texts of a row differ from the file's: other names everywhere, another style where it is seen."""

    rename: _Rewrite = str
    restyle: _Rewrite = str


_DECLARED = re.compile(
    r"\b(?:contract|function|modifier|error|event|struct|enum)\s+(\w+)"
    r"|\b(?:u?int\d*|address|bool|bytes\d*|string|[A-Z]\w*|\))(?:\[\])?"
    r"(?:\s+(?:public|private|internal|constant|immutable|payable|memory|storage|calldata))*\s+(\w+)\s*[;,)=]"
)
_WORD = re.compile(r"[A-Za-z][a-z0-9]*")
_NAME = re.compile(r"\b[A-Za-z_]\w*\b")
_SAID = re.compile(r'"[^"\n]* [^"\n]*"')
_FUNCTION = re.compile(r"\bfunction (\w+)")
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
    """How many rows of each class are trained on, and what of a contract they show."""

    rows_of_a_class: int = default(
        36, "Training rows of each class", "rare classes count as much as common ones", ge=1
    )
    sound_share: float = default(
        0.25, "Sound functions for each with a flaw", "each is the twin of one with a flaw", ge=0
    )
    most_beside: int = default(
        1, "Most other functions shown beside", "with two, rows have 600 tokens and more", ge=0
    )
    seed: int = default(0, "Seed of names and order", "any fixed number repeats the set")


class AuditSet(NamedTuple):
    """The rows of each split; no protocol is on both sides."""

    train: tuple[JsonRow, ...]
    test: tuple[JsonRow, ...]


def build_audits(settings: AuditSettings) -> AuditSet:
    """Rows of every flaw of the protocols, and of sound functions; train rows differ by their names."""
    seen = [(one, flaw) for one in protocols("seen").values() for flaw in one.flaws]
    train = [row for kind in _kinds(seen) for row in _of_kind(seen, kind, settings)]
    rng = Random(settings.seed)  # noqa: S311 - an order, no secret
    train.sort(key=lambda _: rng.random())
    test = []
    step = max(1, round(1 / settings.sound_share)) if settings.sound_share else 0
    for number, (protocol, flaw) in enumerate(
        (one, flaw) for one in protocols("held_out").values() for flaw in one.flaws
    ):
        test.append(_row(protocol, flaw, flaw.kind, rng, settings, _Dress()))
        if step and number % step == 0:
            test.append(_row(protocol, flaw, SOUND, rng, settings, _Dress()))
    return AuditSet(tuple(train), tuple(test))


def answer_of(kind: str, function: str, patch: str) -> str:
    """The answer that is asked for, in the one form that training rows have it."""
    said = {"class": kind, "function": function, "patch": patch}
    if kind == SOUND:
        said |= {"function": "", "patch": ""}
    return json.dumps(said, ensure_ascii=False)


def _kinds(flaws: Sequence[tuple[Protocol, Flaw]]) -> list[str]:
    return sorted({flaw.kind for _, flaw in flaws})


def _of_kind(
    flaws: Sequence[tuple[Protocol, Flaw]], kind: str, settings: AuditSettings
) -> Iterator[JsonRow]:
    """Rows of a class, its flaws taking turns, and of sound twins of some; none is asked twice."""
    own = [(protocol, flaw) for protocol, flaw in flaws if flaw.kind == kind]
    rng = Random(f"{settings.seed}|{kind}")  # noqa: S311 - names, no secret
    asked: set[str] = set()
    num_sound = round(settings.rows_of_a_class * settings.sound_share)
    for wanted, said in ((settings.rows_of_a_class, kind), (num_sound, SOUND)):
        cases = (own[number % len(own)] for number in range(_TRIES * wanted))
        drawn = (
            _row(*case, said, rng, settings, _Dress(_new_names(case[0], rng), _new_style(rng)))
            for case in cases
        )
        fresh = (row for row in drawn if row["messages"][1]["content"] not in asked)
        for row in islice(fresh, wanted):
            asked.add(row["messages"][1]["content"])
            yield row


def _row(
    protocol: Protocol, flaw: Flaw, kind: str, rng: Random, settings: AuditSettings, dress: _Dress
) -> JsonRow:
    """The row where the function has its flaw, or none, with other functions before or after it."""
    beside = [f for f in protocol.functions if f.name not in {flaw.fixed.name, "constructor"}]
    shown = [f.code for f in rng.sample(beside, rng.randint(0, settings.most_beside))]
    shown.insert(
        rng.randint(0, len(shown)), flaw.fixed.code if kind == SOUND else flaw.flawed.code
    )
    patch = dress.restyle(dress.rename(flaw.fixed.code))
    turns = {
        "system": SYSTEM,
        "user": dress.restyle(dress.rename(show(protocol, shown, flaw.fixed))),
        "assistant": answer_of(kind, dress.rename(flaw.fixed.name), patch),
    }
    check = {
        "scaffold": dress.rename(scaffold(protocol, flaw.fixed, ["Use", flaw.exploit])),
        "contract": dress.rename(protocol.contract),
        "reference": patch,
        "class": kind,
        **({} if kind == SOUND else {"exploit": flaw.exploit, "use": "Use"}),
    }
    return {
        "messages": [{"role": role, "content": text} for role, text in turns.items()],
        "class": kind,
        "check": json.dumps(check, ensure_ascii=False),
        "meta": {"protocol": protocol.name, "function": flaw.fixed.name, "exploit": flaw.exploit},
    }


def show(protocol: Protocol, shown: Sequence[str], fixed: Function) -> str:
    """The contract with these functions alone, and what else they or the fixed one need of it."""
    declared = _declarations(protocol)
    inside = set(_FUNCTION.findall("\n".join(shown)))
    needed: set[str] = set()
    wanted = _NAME.findall("\n".join([*shown, fixed.code]))
    while wanted:
        name = wanted.pop()
        if name in declared and name not in needed | inside:
            needed.add(name)
            wanted += _NAME.findall(declared[name])
    head = "\n".join(f"    {text}" for name, text in declared.items() if name in needed)
    body = "\n\n".join(re.sub(r"^(?=.)", "    ", code, flags=re.M) for code in shown)
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
                declared[named[1] if named else _NAME.findall(_VALUE.sub("", text))[-1]] = text
    return declared


@cache
def _words() -> Mapping[str, list[str]]:
    text = files("finewright_web3").joinpath("audit_words.yaml").read_text(encoding="utf-8")
    return {word: list(others) for word, others in yaml.safe_load(text).items()}


def _new_names(protocol: Protocol, rng: Random) -> _Rewrite:
    """Puts other words into the names that the contract declares, and into what its errors say."""
    words = {
        word: one_of(rng, others)
        for word, others in _words().items()
        if rng.random() > _KEPT_SHARE
    }
    taken = set(_NAME.findall("\n".join([protocol.source, *protocol.scene.values()])))
    of_kit = set(_NAME.findall("\n".join(kit().values())))
    names: dict[str, str] = {}
    for found in _DECLARED.finditer(protocol.source):
        old = found[1] or found[2]
        new = _WORD.sub(lambda match: _as_cased(match[0], words), old)
        if new not in taken and old not in {*names, *of_kit}:
            names[old] = new
            taken.add(new)

    def rename(text: str) -> str:
        text = _NAME.sub(lambda match: names.get(match[0], match[0]), text)
        return _SAID.sub(lambda said: _WORD.sub(lambda m: words.get(m[0], m[0]), said[0]), text)

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
