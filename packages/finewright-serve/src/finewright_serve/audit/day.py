"""`finewright audit day`: who asked how much in 24 hours, what was refused, what guards did, and alarms; no
word of anybody's."""

import time
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from finewright.errors import DataError
from finewright.feature import Session
from finewright.report.blocks import Page, Table, section
from finewright.report.cells import count, count_of
from finewright.schema.common import Model
from finewright_serve.audit.chain import Break, checked_lines, lines_of, older_paths
from finewright_serve.audit.command import AUDIT
from finewright_serve.gateway.keys import KeyLimits, read_keys, time_of
from finewright_serve.keys_command import KEYS
from finewright_serve.options import AuditDayOptions

_REFUSED = 400
_DAY_SECONDS = 86_400
_WINDOWS = ("requests_per_day", "tokens_per_day")


class KeyDay(Model):
    """What a key did: `refused` are its answers with a status of 400 and more, `shares` what it took of its
    limits of a day, as far as it has such."""

    key: str
    name: str = ""
    requests: int = 0
    refused: int = 0
    tokens: int = 0
    alarms: int = 0
    shares: Mapping[str, float] = {}


class AuditDay(Model):
    """24 hours of a server. Counts are by what they are named after."""

    file: str
    since: str
    until: str
    requests: int
    tokens: int
    keys: tuple[KeyDay, ...]
    statuses: Mapping[str, int]
    refusals: Mapping[str, int]
    guards: Mapping[str, int]
    alarms: tuple[tuple[str, str, str], ...]


def summarise(options: AuditDayOptions, session: Session) -> AuditDay:
    """Raises DataError for an audit that is not as it was written, which would be summed up wrongly."""
    path = options.folder / AUDIT
    until = _end(options.day)
    tally = _Tally()
    for fields in _lines_between(path, until - _DAY_SECONDS, until):
        tally.add(fields)
    return tally.report(path, until)


def _end(day: str) -> float:
    if not day:
        return time.time()
    try:
        return time_of(day) + _DAY_SECONDS
    except ValueError:
        raise DataError(f"--day {day}: is no day such as 2026-12-01") from None


def _lines_between(
    path: Path, since: float, until: float
) -> Iterator[Mapping[str, Any]]:  # Any: JSON
    for line in checked_lines(lines_of([*older_paths(path), path]), is_part=True):
        if isinstance(line, Break):
            what = f"{path}: line {line.line}: {line.why}"
            raise DataError(what, hint="finewright audit verify")
        if since <= datetime.fromisoformat(str(line.fields["at"])).timestamp() < until:
            yield line.fields


class _Tally:
    """Counts of the lines so far."""

    def __init__(self) -> None:
        self._requests, self._refused = Counter[str](), Counter[str]()
        self._tokens, self._rung = Counter[str](), Counter[str]()
        self._statuses, self._codes = Counter[str](), Counter[str]()
        self._guards = Counter[str]()
        self._alarms: list[tuple[str, str, str]] = []

    def add(self, fields: Mapping[str, Any]) -> None:
        """The next line; heads and begins say nothing of requests."""
        key = str(fields.get("key", ""))
        if fields.get("kind") == "alarm":
            self._rung[key] += 1
            self._alarms.append((str(fields["at"]), key, f"{fields['alarm']}: {fields['what']}"))
        if fields.get("kind") != "request":
            return
        self._requests[key] += 1
        self._tokens[key] += fields.get("prompt_tokens", 0) + fields.get("answer_tokens", 0)
        self._statuses[str(fields["status"])] += 1
        if fields["status"] >= _REFUSED:
            self._refused[key] += 1
            self._codes[fields.get("code") or str(fields["status"])] += 1
        for each in fields.get("decisions", ()):
            what = f"{each['guard']}, {each['side']}: {each['action']}"
            self._guards[what] += each.get("number", 1)

    def report(self, path: Path, until: float) -> AuditDay:
        """All of it, the busiest key first."""
        ring = path.with_name(KEYS)
        known = {each.id: each for each in read_keys(ring)} if ring.exists() else {}
        days = [
            KeyDay(
                key=key,
                name=known[key].name if key in known else "",
                requests=self._requests[key],
                refused=self._refused[key],
                tokens=self._tokens[key],
                alarms=self._rung[key],
                shares=self._shares(key, known[key].limits) if key in known else {},
            )
            for key in sorted({*self._requests, *self._rung})
        ]
        return AuditDay(
            file=str(path),
            since=_iso(until - _DAY_SECONDS),
            until=_iso(until),
            requests=self._requests.total(),
            tokens=self._tokens.total(),
            keys=tuple(sorted(days, key=lambda each: -each.requests)),
            statuses=dict(sorted(self._statuses.items())),
            refusals=dict(self._codes.most_common()),
            guards=dict(self._guards.most_common()),
            alarms=tuple(self._alarms),
        )

    def _shares(self, key: str, limits: KeyLimits) -> dict[str, float]:
        took = {"requests_per_day": self._requests[key], "tokens_per_day": self._tokens[key]}
        most = limits.model_dump()
        return {name: took[name] / most[name] for name in _WINDOWS if most[name]}


def _iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")


def day_page(report: AuditDay) -> Page:
    """Alarms first, then keys, refusals and guards."""
    rows = [
        (
            key.key or "none",
            key.name,
            count(key.requests),
            count(key.refused),
            count(key.tokens),
            count(key.alarms),
            ", ".join(f"{share:.0%} of {name}" for name, share in key.shares.items()) or "no limit",
        )
        for key in report.keys
    ]
    header = ("key", "name", "requests", "refused", "tokens", "alarms", "limits of a day")
    named = (
        ("Refusals", "why", report.refusals),
        ("Guards", "guard, side and what it did", report.guards),
        ("Statuses", "status", report.statuses),
    )
    sections = (
        [*section("Alarms", Table(("at", "key", "what"), [*report.alarms]))]
        if report.alarms
        else []
    )
    sections += section("Keys", Table(header, rows)) if rows else []
    for title, head, counts in named:
        if counts:
            sections += section(
                title, Table((head, "number"), [(k, count(n)) for k, n in counts.items()])
            )
    return Page(
        "a day of a server",
        report.file,
        f"{count_of(report.requests, 'request')} of {count_of(len(report.keys), 'key')},"
        f" {count_of(report.tokens, 'token')}, {count_of(len(report.alarms), 'alarm')}",
        about=(f"from {report.since} to {report.until}; no word of anybody's",),
        sections=sections,
    )
