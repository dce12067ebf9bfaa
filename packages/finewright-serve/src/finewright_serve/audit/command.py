"""`finewright audit verify | export`: is it as it was written, and a part of it for others."""

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Literal

from finewright import trust
from finewright.errors import DataError
from finewright.feature import Session
from finewright.report.blocks import Page, Table, section
from finewright.report.cells import count, count_of
from finewright.schema.common import Model, Problem, errors_of
from finewright.store.atomic import write_bytes
from finewright.store.signing import own_key
from finewright.workbench.outputs import check_outputs
from finewright_serve.audit.chain import (
    AuditLine,
    Break,
    checked_lines,
    head_path,
    lines_of,
    newest_head,
    older_paths,
)
from finewright_serve.gateway.keys import time_of
from finewright_serve.options import ExportAuditOptions, VerifyAuditOptions

AUDIT = "audit.jsonl"
"""The audit in the folder of a server."""


class AuditReport(Model):
    """What an audit is, and whether it is as it was written: `broken` is the first line that is not, 0 where
    all are; `signed` is the last line that a head covers."""

    file: str
    passed: bool
    lines: int
    signed: int
    heads: int
    first: str = ""
    last: str = ""
    keys: tuple[str, ...] = ()
    broken: int = 0
    out: str = ""
    problems: tuple[Problem, ...] = ()


def verify(options: VerifyAuditOptions, session: Session) -> AuditReport:
    """Every line, its place in the chain, the signatures, and the head beside it."""
    path = options.file or options.folder / AUDIT
    known = {options.key} if options.key else _known_keys()
    return _Reading(path, is_part=options.part, is_copy=bool(options.file)).report(known)


def export(options: ExportAuditOptions, session: Session) -> AuditReport:
    """The lines of a time, up to the head that signs them, in a file of their own."""
    path = options.folder / AUDIT
    check_outputs([options.out], [path])
    since, until = _time(options.since, "--since"), _time(options.until, "--until")
    whole = _Reading(path).report(_known_keys())
    if not whole.passed:
        raise DataError(f"{path}: {whole.problems[0].line()}", hint="finewright audit verify")
    chosen = list(_between(path, since, until))
    if not chosen:
        raise DataError(f"{path}: no line is of that time", hint=f"{whole.first} to {whole.last}")
    write_bytes(options.out, b"".join(line.raw for line in chosen), mode=0o600)
    found = _Reading(options.out, is_part=True, is_copy=True).report(_known_keys())
    return found.model_copy(update={"out": str(options.out), "file": str(path)})


def audit_page(report: AuditReport) -> Page:
    """The verdict first."""
    lines = count_of(report.lines, "line")
    if not report.passed:
        where = (
            f"line {count(report.broken)} is the first that is not" if report.broken else "not all"
        )
        answer = f"{lines} read; {where} as it was written"
    else:
        answer = f"{lines} as they were written, {count(report.signed)} of them under a signed head"
    rows = [("heads", count(report.heads)), ("first", report.first), ("last", report.last)]
    rows += [("signed by", key) for key in report.keys]
    rows += [("exported to", report.out)] if report.out else []
    return Page(
        "an audit",
        report.file,
        answer,
        problems=report.problems,
        sections=section("", Table(("", ""), rows)),
    )


class _Reading:
    """An audit that is read once, from its first line on: all its files, or with `is_copy` the one alone, and
    of a part of it there is no head beside it."""

    def __init__(self, path: Path, *, is_part: bool = False, is_copy: bool = False) -> None:
        self._path, self._is_part, self._is_export = path, is_part, is_part and is_copy
        self._head = None if self._is_export else newest_head(path)
        self._has_head = False
        self._problems: list[Problem] = []
        self._lines = self._number = self._heads = self._signed = self._broken = 0
        self._first = self._last = ""
        self._keys: dict[str, None] = {}

    def report(self, known: set[str]) -> AuditReport:
        """All that is wrong with it, up to the first line that is broken."""
        files = [self._path] if self._is_export else [*older_paths(self._path), self._path]
        for found in checked_lines(lines_of(files), is_part=self._is_part):
            if isinstance(found, Break):
                self._break(found)
                break
            self._add(found)
        if not self._broken:
            self._compare_with_head()
        for key in self._keys:
            if key not in known:
                self._say(
                    "error", f"signed by {key}, which is not trusted here", _TRUST.format(key)
                )
        if not self._heads and not self._broken:
            self._say("error", "no head signs it", "audit export ends with one")
        return AuditReport(
            file=str(self._path),
            passed=not errors_of(self._problems),
            lines=self._lines,
            signed=self._signed,
            heads=self._heads,
            first=self._first,
            last=self._last,
            keys=tuple(self._keys),
            broken=self._broken,
            problems=tuple(self._problems),
        )

    def _add(self, line: AuditLine) -> None:
        self._lines, self._number = self._lines + 1, line.link.number
        at = str(line.fields.get("at", ""))
        if self._last and at < self._last:  # one form, one zone: texts are in the order of time
            row = self._lines
            what = f"the clock was set back: {at} after {self._last}"
            self._problems.append(Problem(level="warning", message=what, row=row))
        self._first, self._last = self._first or at, at
        if line.fields.get("kind") == "head":
            self._heads, self._signed = self._heads + 1, self._lines
            self._keys[str(line.fields["key"])] = None
        if self._head is not None and line.link.number == self._head.link.number:
            self._has_head = line.raw == self._head.raw

    def _compare_with_head(self) -> None:
        """The head beside the file signs its last line, or one before it."""
        head = self._head
        if self._is_export:
            return
        if head is None:
            self._say(
                "error", f"{head_path(self._path).name} is missing", "put it back from a copy"
            )
        elif head.link.number > self._number:
            missing = f"missing: {head.link.number} lines were signed"
            self._break(Break(self._lines + 1, missing))
        elif not self._has_head:
            self._break(Break(head.link.number, "it is not the head that was signed"))

    def _break(self, found: Break) -> None:
        self._broken = found.line
        self._problems.insert(0, Problem(level="error", message=found.why, row=found.line))

    def _say(self, level: Literal["error", "warning"], message: str, hint: str) -> None:
        self._problems.append(Problem(level=level, message=message, hint=hint))


_TRUST = "finewright trust key {} NAME, if it is the server's"


def _known_keys() -> set[str]:
    return {own_key(), *(each.value for each in trust.read_trusted() if each.kind == "key")}


def _between(path: Path, since: float, until: float) -> Iterator[AuditLine]:
    """From the first line of the time up to the head after the last."""
    held: list[AuditLine] = []
    has_begun = is_any = False
    for line in checked_lines(lines_of([*older_paths(path), path]), is_part=True):
        if isinstance(line, Break):
            return
        at = datetime.fromisoformat(str(line.fields["at"])).timestamp()
        has_begun = has_begun or at >= since
        if not has_begun:
            continue
        if at >= until and not is_any:
            return
        is_any = True
        held.append(line)
        if at < until or line.fields.get("kind") == "head":
            yield from held
            held = []
        if at >= until and not held:
            return


def _time(text: str, option: str) -> float:
    if not text:
        return float("inf") if option == "--until" else 0.0
    try:
        return time_of(text)
    except ValueError:
        raise DataError(
            f"{option} {text}: is no time such as 2026-12-01 or 2026-12-01T12:30"
        ) from None
