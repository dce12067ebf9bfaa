"""The Solidity writer: from documented contract code to conversations.

Asked is a function's NatSpec and signature, answered is the whole function as its authors wrote
it. A family is held out whole: the contracts of one name, with or without `Upgradeable` in it, in
all packages. Near copies in contracts of other names may stand on both sides.

The functions with a body in a Solidity file, as they stand there."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import NamedTuple

from finewright.sdk import JsonRow, Model, default, digest, hold_out_families
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
        return self._dedent(self.header).rstrip()

    @property
    def code(self) -> str:
        """The whole function without the indentation of the file."""
        return self._dedent(self.header + self.body)

    def _dedent(self, source: str) -> str:
        return re.sub(rf"^[ \t]{{0,{self.indent}}}", "", source, flags=re.M)


SYSTEM = "You write Solidity. Reply with the function only."


class SoliditySettings(Model):
    """Which functions are of use, and how many are held out."""

    min_natspec_chars: int = default(
        25, "Shortest NatSpec that is asked", "what is shorter tells less than the signature", ge=1
    )
    test_share: float = default(
        0.1, "Share of the rows in families held out", "an interval of 5 points", ge=0, lt=1
    )
    seed: int = default(0, "Seed of the split and the order", "any fixed number repeats the set")


class SourceFile(NamedTuple):
    """A Solidity file of a package, which is named as `name@version`."""

    package: str
    path: str
    text: str


class SoliditySet(NamedTuple):
    """The rows of each split, and how many functions were left out by reason."""

    train: tuple[JsonRow, ...]
    test: tuple[JsonRow, ...]
    dropped: dict[str, int]


def build(files: Iterable[SourceFile], license: str, settings: SoliditySettings) -> SoliditySet:
    """Shuffled rows of the documented functions in files under that licence, each asked once.

    Of copies, and of answers to the same question, the first in the order of the files is kept.
    DataError if a file's comments or brackets do not end."""
    kept: list[_Example] = []
    seen: set[str] = set()
    dropped: Counter[str] = Counter()
    for file in files:
        for function in functions(file.text, file.path):
            example = _example(function, file.package)
            if fault := _fault(function, license, settings) or _repeats(example, seen):
                dropped[fault] += 1
            else:
                seen |= {example.code_key, example.question_key}
                kept.append(example)
    kept.sort(key=lambda example: digest(f"{settings.seed}:{example.code_key}"))
    families = [example.family for example in kept]
    held_out = hold_out_families(families, settings.test_share, settings.seed)
    return SoliditySet(
        tuple(_make_solidity_row(example) for example in kept if example.family not in held_out),
        tuple(_make_solidity_row(example) for example in kept if example.family in held_out),
        dict(dropped),
    )


def family_of(contract: str) -> str:
    """What the variants of a contract have in common: its name without `Upgradeable`."""
    return contract.replace("Upgradeable", "")


def family_of_row(row: JsonRow) -> str:
    """The family of a row's contract; a free function is of its file's."""
    file, _, name = row["meta"]["source"].rpartition("#")
    return family_of(name.rpartition(".")[0] or PurePosixPath(file).stem)


def plain_text(natspec: str) -> str:
    """NatSpec as a reader wants it: `@dev` and `@notice` say nothing, tags for tools go.

    References such as `{IERC20-approve}` get backticks, or are their label if they have one;
    `@param` and `@return` stay."""
    text = natspec.replace("\N{NO-BREAK SPACE}", " ")
    text = re.sub(r"^[ \t]*@(inheritdoc|custom:)[^\n]*", "", text, flags=re.M)
    text = re.sub(r"^[ \t]*@(dev|notice)\b[ \t]*", "", text, flags=re.M)
    text = re.sub(r"\{[\w.-]+\}\[([^\]]*)\]", r"\1", text)
    text = re.sub(r"\{([\w.-]+)\}", r"`\1`", text)
    return re.sub(r"\n{3,}", "\n\n", text).strip()


@dataclass(frozen=True, slots=True)
class _Example:
    """A question and its answer; the keys are equal where nothing but white space differs."""

    family: str
    source: str
    license: str
    question: str
    answer: str
    question_key: str
    code_key: str


def _example(function: Function, package: str) -> _Example:
    question = f"{plain_text(function.natspec)}\n\n{function.signature}"
    name = f"{function.contract}.{function.name}" if function.contract else function.name
    return _Example(
        family=family_of(function.contract or PurePosixPath(function.file).stem),
        source=f"{package}/{function.file}#{name}",
        license=function.license,
        question=question,
        answer=function.code,
        question_key=_squeeze(question),
        code_key=_squeeze(function.code),
    )


def _fault(function: Function, license: str, settings: SoliditySettings) -> str:
    """Why the function is of no use; empty if it is."""
    text = plain_text(function.natspec)
    faults = {
        f"in a file that is not under {license}": function.license != license,
        "no NatSpec": not function.natspec,
        "NatSpec of tags alone": not text,
        f"NatSpec of under {settings.min_natspec_chars} characters": (
            len(text) < settings.min_natspec_chars
        ),
    }
    return next((reason for reason, is_so in faults.items() if is_so), "")


def _repeats(example: _Example, seen: set[str]) -> str:
    if example.code_key in seen:
        return "a copy of another function"
    return "another answer to the same question" if example.question_key in seen else ""


def _make_solidity_row(example: _Example) -> JsonRow:
    turns = {"system": SYSTEM, "user": example.question, "assistant": example.answer}
    return {
        "messages": [{"role": role, "content": content} for role, content in turns.items()],
        "meta": {
            "id": digest(example.code_key)[:16],
            "source": example.source,
            "license": example.license,
        },
    }


def _squeeze(text: str) -> str:
    return re.sub(r"\s+", "", text)


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
