"""What an SPDX expression allows: its licences, their classes, and the judgement of a policy.

Expressions are those of the SPDX specification 2.3, annex D, read by the package license-expression;
the category of an id is that of ScanCode's LicenseDB, which comes with it. This is no legal advice:
it compares names, and does not read licence texts."""

import difflib
import re
from collections.abc import Iterator, Sequence
from functools import cache, lru_cache
from importlib.util import find_spec
from typing import Any, NamedTuple

from finewright.catalog.licences import LicenceClass, licences
from finewright.errors import MissingExtra
from finewright.plugins import install_command
from finewright.schema.common import Problem
from finewright.schema.provenance import LICENCE_WORDS, LicensePolicy

UNKNOWN = "unknown"
# What registries and hubs write where no licence is named.
_UNSTATED = {"", "unknown", "other", "none", "noassertion", "unlicensed"}
# What owners write of rows of their own, for want of an SPDX id.
_OWNED = {"proprietary": "LicenseRef-proprietary"}
_ELSEWHERE = re.compile(r"see licen[cs]e\b", re.I)
_OWN = re.compile(r"(DocumentRef-[A-Za-z0-9.-]+:)?LicenseRef-[A-Za-z0-9.-]+")
_VERSIONED = re.compile(r"(?P<family>.+)-(?P<version>\d+(\.\d+)*)-(?P<reach>only|or-later)")
_SPDX_LINE = re.compile(r"SPDX-License-Identifier:[ \t]*([^\r\n]*)")
# A set has few licences, and rows repeat them.
_MOST_KEPT = 4096
_COMMENT_END = re.compile(r"\s*(\*/|-->|\*\)|#}|%>|[\"']{3}).*$")


class LicencePart(NamedTuple):
    """One licence of an expression, by its id and, where there is one, the exception from it.

    The id is empty where none is known."""

    id: str
    exception: str
    classes: tuple[LicenceClass, ...]


class LicenceText(NamedTuple):
    """An expression in the form of SPDX, its licences, and what is wrong with it, if anything."""

    expression: str
    parts: tuple[LicencePart, ...]
    fault: str
    hint: str


class Judgement(NamedTuple):
    """May rows of this licence be used? And why not."""

    allowed: bool
    why: str


@lru_cache(_MOST_KEPT)
def read_expression(text: str) -> LicenceText:
    """The expression, whatever it says; one that names no licence is `unknown`.

    Case does not matter, and deprecated ids get their present name (GPL-2.0 -> GPL-2.0-only)."""
    said = " ".join(text.split())
    said = _OWNED.get(said.casefold(), said)
    if said.casefold() in _UNSTATED:
        return _unknown("", "")
    if _ELSEWHERE.match(said):
        return _unknown(f"{said!r} points elsewhere", "read that file and name its SPDX id")
    tree = _parse_expression(said)
    if tree is None:
        return _unknown(f"{said!r} is no SPDX expression", "write e.g. MIT, or MIT OR Apache-2.0")
    parts = tuple(_part(leaf) for leaf in tree.get_literals())
    foreign = [name for part in parts for name in (part.id, part.exception) if _is_foreign(name)]
    if foreign:
        return LicenceText(
            str(tree), parts, f"{foreign[0]!r} is no SPDX licence id", did_you_mean(foreign[0])
        )
    return LicenceText(str(tree), parts, "", "")


def classes_of(text: str) -> tuple[LicenceClass, ...]:
    """The classes of all licences of an expression, each once, in their order."""
    return tuple(dict.fromkeys(c for part in read_expression(text).parts for c in part.classes))


def judge(text: str, policy: LicensePolicy) -> Judgement:
    """Whether the policy allows rows of this licence.

    Of `A OR B` one allowed arm is enough; of `A AND B` all must be. `X-or-later` is a choice of the
    versions there are. An exception (`WITH`) adds rights: where the licence is allowed, so is it with
    an exception. Per licence: an id in `deny` blocks, an id in `allow` admits, a class in `deny`
    blocks, a class in `allow` admits, and what is in neither is blocked if `allow` names anything."""
    if not policy.allow and not policy.deny:
        return Judgement(True, "")
    read = read_expression(text)
    tree = _parse_expression(read.expression)
    return _judge_tree(tree, policy) if tree is not None else _judge_part(read.parts[0], policy)


def policy_problems(policy: LicensePolicy) -> list[Problem]:
    """An error for each entry that is neither an SPDX id, with or without exception, nor a class."""
    found = []
    for side, entries in (("allow", policy.allow), ("deny", policy.deny)):
        for entry in entries:
            if entry in LICENCE_WORDS:
                continue
            read = read_expression(entry)
            fault = read.fault or ("" if len(read.parts) == 1 and read.expression else "no licence")
            if fault or not _is_single(read):
                found.append(_entry_problem(side, entry, read.hint))
    return found


def did_you_mean(name: str) -> str:
    """The mend for an id that SPDX does not know."""
    by_folded = {key.casefold(): key for key in _index()} | {word: word for word in LICENCE_WORDS}
    folded = name.casefold().replace(" ", "-")
    close = difflib.get_close_matches(folded, by_folded, n=1, cutoff=0.7)
    if close:
        return f"did you mean {by_folded[close[0]]}?"
    return "use an id of spdx.org/licenses, or LicenseRef-NAME for one of your own"


def states_nothing(text: str) -> bool:
    """Whether it names no licence, or only where one is to be found. Needs no package to tell."""
    said = " ".join(text.split())
    return said.casefold() in _UNSTATED or bool(_ELSEWHERE.match(said))


def same_licence(one: str, other: str) -> bool:
    """Whether both say the same. Without the package, only if they do so to the letter, case aside."""
    if one.casefold() == other.casefold():
        return True
    if find_spec("license_expression") is None:
        return False
    return read_expression(one).expression == read_expression(other).expression


def spdx_line(text: str) -> str:
    """The licence that the SPDX-License-Identifier lines of a file name, all of them by AND, or "".

    Ends of comments are no part of it. Lines that say the same count once."""
    lines = (_COMMENT_END.sub("", match[1]).strip() for match in _SPDX_LINE.finditer(text))
    return all_of([line for line in lines if line])


def all_of(expressions: Sequence[str]) -> str:
    """One expression that asks for all of these; each counts once."""
    named = list(dict.fromkeys(expressions))
    if len(named) <= 1:
        return "".join(named)
    return " AND ".join(f"({text})" if " " in text else text for text in named)


def _unknown(fault: str, hint: str) -> LicenceText:
    return LicenceText("", (LicencePart("", "", ("unknown",)),), fault, hint)


@cache
def _licensing() -> Any:  # Any: the package has no types
    try:
        from license_expression import get_spdx_licensing
    except ModuleNotFoundError:
        raise MissingExtra(
            "reading licences needs license-expression", hint=install_command("[data]")
        ) from None
    return get_spdx_licensing()


@cache
def _index() -> dict[str, str]:
    """SPDX id, also a deprecated one -> category."""
    _licensing()
    from license_expression import get_license_index

    return {
        key: row["category"]
        for row in get_license_index()
        for key in (row.get("spdx_license_key"), *row.get("other_spdx_license_keys", ()))
        if key
    }


@lru_cache(_MOST_KEPT)
def _parse_expression(text: str) -> Any:  # Any: the package has no types
    """The tree of an expression, unknown ids included; None for nothing and for no expression."""
    licensing = _licensing()
    from license_expression import ExpressionError

    # On some nonsense, such as `MIT WITH` before a bracket, the package trips over itself.
    try:
        return licensing.parse(text)
    except (ExpressionError, AssertionError, IndexError):
        return None


def _part(leaf: Any) -> LicencePart:  # Any: the package has no types
    exception = getattr(leaf, "exception_symbol", None)
    if exception is None:
        return LicencePart(leaf.key, "", _classes(leaf.key))
    key = leaf.license_symbol.key
    known = _classes(key) if exception.key in _index() else ("unknown", *_classes(key))
    return LicencePart(key, exception.key, known)


def _classes(key: str) -> tuple[LicenceClass, ...]:
    catalog = licences()
    if key in catalog.licences:
        return catalog.licences[key]
    if key not in _index() and _OWN.fullmatch(key):
        return ("custom",)
    return (catalog.categories.get(_index().get(key, ""), "unknown"),)


def _is_foreign(key: str) -> bool:
    return bool(key) and key != UNKNOWN and key not in _index() and not _OWN.fullmatch(key)


def _is_single(read: LicenceText) -> bool:
    return len(read.parts) == 1 and not re.search(r" (AND|OR) ", read.expression)


def _entry_problem(side: str, entry: str, hint: str) -> Problem:
    words = ", ".join(LICENCE_WORDS)
    return Problem(
        level="error",
        key=f"data.licenses.{side}",
        message=f"{entry!r} is neither one SPDX licence id nor one of {words}",
        hint=hint or "name one licence a time",
    )


def _judge_tree(tree: Any, policy: LicensePolicy) -> Judgement:  # Any: the package has no types
    if tree.isliteral:
        return _judge_part(_part(tree), policy)
    arms = [_judge_tree(arm, policy) for arm in tree.args]
    blocked = list(dict.fromkeys(arm.why for arm in arms if not arm.allowed))
    is_choice = tree.operator.strip() == "OR"
    passed = any(arm.allowed for arm in arms) if is_choice else not blocked
    return Judgement(passed, "" if passed else "; ".join(blocked))


def _judge_part(part: LicencePart, policy: LicensePolicy) -> Judgement:
    versions = list(_versions(part.id))
    judged = [_judge_version(part, version, policy) for version in versions]
    return next((one for one in judged if one.allowed), judged[0])


def _judge_version(part: LicencePart, version: str, policy: LicensePolicy) -> Judgement:
    whole = f"{part.id} WITH {part.exception}" if part.exception else part.id
    allow, deny = _entries(policy.allow), _entries(policy.deny)
    if part.exception and whole in allow | deny:
        return _judge_listed(whole, deny)
    if version in allow | deny:
        return _judge_listed(version, deny)
    denied = [c for c in part.classes if c in deny]
    if denied:
        what = f"{whole} is {denied[0]}" if whole else "no licence is known"
        return Judgement(False, f"{what}, which is denied")
    if not allow or all(_admits(c, allow) for c in part.classes):
        return Judgement(True, "")
    return Judgement(False, f"{whole or 'an unknown licence'} is not among the allowed")


def _judge_listed(name: str, deny: frozenset[str]) -> Judgement:
    return Judgement(False, f"{name} is denied") if name in deny else Judgement(True, "")


def _admits(licence_class: LicenceClass, allow: frozenset[str]) -> bool:
    # Who takes rows that ask for a notice takes those that ask for nothing.
    return licence_class in allow or (licence_class == "public-domain" and "permissive" in allow)


@cache
def _entries(entries: tuple[str, ...]) -> frozenset[str]:
    """Words as they are; ids in their present form, an `or-later` with the versions it covers."""
    found = set(entries) & set(LICENCE_WORDS)
    for entry in set(entries) - found:
        for part in read_expression(entry).parts:
            if part.exception:
                found.add(f"{part.id} WITH {part.exception}")
            else:
                found |= {part.id, *_versions(part.id)}
    return frozenset(found)


def _versions(key: str) -> Iterator[str]:
    """Of `X-2.0-or-later`: X-2.0-only, X-3.0-only, ... as far as SPDX lists them; else the id."""
    match = _VERSIONED.fullmatch(key)
    if match is None or match["reach"] == "only":
        yield key
        return
    first = _parse_version(match["version"])
    for other in sorted(_index()):
        found = _VERSIONED.fullmatch(other)
        if found is None or found["family"] != match["family"] or found["reach"] != "only":
            continue
        if _parse_version(found["version"]) >= first:
            yield other


def _parse_version(version: str) -> tuple[int, ...]:
    return tuple(map(int, version.split(".")))
