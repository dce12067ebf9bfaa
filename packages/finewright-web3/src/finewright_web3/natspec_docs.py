"""Documents on smart contracts, and questions whose answer stands in one of them.

A page is made of each contract's NatSpec; asked is what one of its members does, answered is the
first statement of the member's NatSpec, in its authors' words. The licence is that of the file's
SPDX line, whatever the package says of itself."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from finewright.sdk import (
    Content,
    Fetched,
    JsonRow,
    Model,
    PackagedSet,
    SetContent,
    add_source,
    default,
    digest,
    hold_out_families,
    join_families,
    name_files,
)
from finewright_web3.natspec import NatSpec, first_statement, read_natspec
from finewright_web3.solidity_syntax import UNNAMED, Contract, Statement, parse

_NOT_PUBLISHED = re.compile(r"(^|/)(artifacts|build|node_modules|mocks?|_?tests?([A-Z_-][^/]*)?)/")
_QUESTIONS = {
    "function": "In {page}, what does the function `{name}` do?",
    "modifier": "In {page}, what does the modifier `{name}` do?",
    "event": "In {page}, when is the event `{name}` emitted?",
    "error": "In {page}, what does the error `{name}` mean?",
    "constructor": "In {page}, what does the constructor do?",
}
_REFERENCE = re.compile(
    r"(See|Same as|Variant of|Inherits|Implements|Override of)\b(`[^`]*`|[^.`])*\.?$", re.I
)


class DocsSettings(Model):
    """Which members are asked about, and how many questions are held out."""

    include_copyleft: bool = default(
        False, "Keep files under copyleft licences", "they bind what is published with them"
    )
    min_answer_chars: int = default(
        40, "Shortest answer", "what is shorter repeats the member's name", ge=1
    )
    min_page_chars: int = default(
        60,
        "Shortest text of a page without documented members",
        "a bare name answers nothing",
        ge=1,
    )
    test_share: float = default(
        0.1, "Share of the questions on pages held out", "an interval of 6 points", ge=0, lt=1
    )
    seed: int = default(0, "Seed of the split and the order", "any fixed number repeats the set")


class _Member(NamedTuple):
    kind: str
    name: str
    signature: str
    natspec: NatSpec

    @property
    def heading(self) -> str:
        return self.kind if self.kind in UNNAMED else f"{self.kind} {self.name}"


class _Page(NamedTuple):
    id: str
    contract: Contract
    natspec: NatSpec
    members: tuple[_Member, ...]
    license: str
    source: str
    path: str


def content(fetched: Sequence[Fetched], packaged: PackagedSet) -> SetContent:
    """Pages and questions of the files whose licence is the set's, or one of its copyleft ones."""
    settings = DocsSettings(include_copyleft=bool(packaged.copyleft))
    dropped: Counter[str] = Counter()
    allowed = {packaged.license, *packaged.copyleft}
    pages = [
        page
        for package in fetched
        for page in _pages(package, settings, dropped)
        if _is_allowed(page, allowed, dropped)
    ]
    questions = list(_questions(pages, settings, dropped))
    questions.sort(key=lambda row: digest(f"{settings.seed}:{row['prompt']}"))
    pages_by_id = {page.id: page for page in pages}
    families = join_families([_marks(row, pages_by_id[row["gold"][0]]) for row in questions])
    held_out = hold_out_families(families, settings.test_share, settings.seed)
    by_family = list(zip(questions, families, strict=True))
    rows = {
        "documents": [_document(page) for page in pages],
        "questions_train": [row for row, family in by_family if family not in held_out],
        "questions_test": [row for row, family in by_family if family in held_out],
    }
    return SetContent(Content(name_files(rows), settings, dict(dropped)))


def _marks(row: JsonRow, page: _Page) -> tuple[str, ...]:
    """What makes questions alike: the file, the answer, and the contract's name.

    An interface, its implementation and its upgradeable variant have one name."""
    name = re.sub(r"^I(?=[A-Z])", "", page.contract.name.replace("Upgradeable", ""))
    return (
        f"name {name}",
        f"file {page.source}/{page.path}",
        f"answer {row['completion'].casefold()}",
    )


def _is_allowed(page: _Page, allowed: set[str], dropped: Counter[str]) -> bool:
    if page.license not in allowed:
        dropped[f"page of a file under {page.license or 'no licence'}"] += 1
    return page.license in allowed


def _pages(package: Fetched, settings: DocsSettings, dropped: Counter[str]) -> Iterator[_Page]:
    for path, text in package.texts():
        if _NOT_PUBLISHED.search(path):
            dropped["file of tests, mocks or build products"] += 1
            continue
        unit = parse(text, f"{package.source}/{path}")
        for contract in unit.parts:
            if not isinstance(contract, Contract):
                continue
            natspec = read_natspec(contract.natspec)
            members = tuple(_members(contract, text))
            if members or len(natspec.markdown()) > settings.min_page_chars:
                name = f"{package.package.name}/{path}#{contract.name}"
                about = (unit.license, package.source, path)
                yield _Page(name, contract, natspec, members, *about)
            else:
                dropped["contract without documentation"] += 1


def _members(contract: Contract, text: str) -> Iterator[_Member]:
    for member in contract.members:
        kind = member.words[0]
        natspec = read_natspec(member.natspec)
        if kind in {*_QUESTIONS, *UNNAMED} and natspec.markdown():
            yield _Member(kind, member.name, _signature(member, text), natspec)


def _signature(member: Statement, text: str) -> str:
    end = member.block if member.block >= 0 else member.stop - 1
    code = re.sub(r"//[^\n]*|/\*.*?\*/", " ", text[member.start : end], flags=re.S)
    code = re.sub(r"\s+", " ", code).strip()
    return code.replace("( ", "(").replace(" )", ")")


def _document(page: _Page) -> JsonRow:
    contract = page.contract
    kind = f"{'An' if contract.kind == 'interface' else 'A'} {contract.kind}"
    parts = [f"# {contract.name}", f"{kind} of {page.source}, file {page.path}."]
    parts.append(page.natspec.markdown())
    for member in page.members:
        parts += [f"## {member.heading}", f"`{member.signature}`", member.natspec.markdown()]
    row = {
        "id": page.id,
        "title": contract.name,
        "text": "\n\n".join(part for part in parts if part),
    }
    return add_source(row, page.license, page.source, page.path)


def _questions(
    pages: Sequence[_Page], settings: DocsSettings, dropped: Counter[str]
) -> Iterator[JsonRow]:
    named_alike = Counter(page.contract.name for page in pages)
    prompts: set[str] = set()
    for page in pages:
        is_only = named_alike[page.contract.name] == 1
        called = page.contract.name if is_only else f"{page.contract.name} ({page.path})"
        for member, name in _name_apart(page.members):
            if member.kind not in _QUESTIONS:
                continue
            prompt = _QUESTIONS[member.kind].format(page=called, name=name)
            answer = first_statement(member.natspec.said)
            if fault := _fault(answer, settings) or "question that repeats" * (prompt in prompts):
                dropped[fault] += 1
                continue
            prompts.add(prompt)
            row = {"prompt": prompt, "completion": answer, "gold": [page.id]}
            yield add_source(row, page.license, page.source, page.path)


def _fault(answer: str, settings: DocsSettings) -> str:
    """Why a member is not asked about; empty if it is."""
    faults = {
        "member that only refers to another": not answer or bool(_REFERENCE.match(answer)),
        f"answer of under {settings.min_answer_chars} characters": (
            len(answer) < settings.min_answer_chars
        ),
    }
    return next((reason for reason, is_so in faults.items() if is_so), "")


def _name_apart(members: Sequence[_Member]) -> Iterator[tuple[_Member, str]]:
    """Each member with its name, and the types of its parameters where others have that name."""
    alike: defaultdict[tuple[str, str], int] = defaultdict(int)
    for member in members:
        alike[member.kind, member.name] += 1
    for member in members:
        is_only = alike[member.kind, member.name] == 1
        yield member, member.name if is_only else f"{member.name}({_types(member.signature)})"


def _types(signature: str) -> str:
    """The parameter types of a signature, without names and data locations."""
    depth, types, start = 0, list[str](), signature.index("(") + 1
    for index, character in enumerate(signature[start:], start):
        if depth == 0 and character in ",)":
            types.append(_type(signature[start:index].strip()))
            start = index + 1
        if depth == 0 and character == ")":
            break
        depth += {"(": 1, ")": -1}.get(character, 0)
    return ", ".join(filter(None, types))


def _type(param: str) -> str:
    """A parameter's type; of a function's or a mapping's, what stands to its last bracket."""
    return param[: param.rindex(")") + 1] if ")" in param else param.partition(" ")[0]
