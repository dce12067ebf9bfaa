"""What became of every key of a config, or of a spec."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Literal

from pydantic import Field

from finewright.report.blocks import Page, Table, Text, section
from finewright.report.cells import count_of
from finewright.schema.common import Model, Problem


class KeyFate(Model):
    """A key of what was read, and what it is in what was written; `becomes` is empty where it is nothing.

    `differs`: training will not be the same because of it. `is_default`: the key was not there, and this is
    what its owner takes."""

    key: str
    value: str
    fate: Literal["mapped", "without", "refused", "outside", "unknown"]
    becomes: dict[str, str] = Field(default_factory=dict)
    why: str = ""
    differs: bool = False
    is_default: bool = False


class TranslateReport(Model):
    """A config of a peer as a run spec, or a spec as a config: every key, and the file that was written."""

    to: Literal["finewright", "peer"]
    peer: str
    file: str
    out: str
    keys: tuple[KeyFate, ...]
    use: str = Field(description="The command that takes what was written.")
    problems: tuple[Problem, ...] = ()


def translate_page(report: TranslateReport) -> Page:
    """What was written and what differs, then every key."""
    given = [key for key in report.keys if not key.is_default]
    mapped = sum(key.fate == "mapped" for key in given)
    where = f"{report.peer}'s" if report.to == "peer" else "finewright's"
    return Page(
        subject="a translation",
        title=report.file,
        answer=f"{count_of(mapped, 'key')} of {len(given)} as {where}, written to {report.out}",
        about=(f"use: {report.use}",),
        problems=report.problems,
        sections=[
            *section("Carried", Table(("key", "value", "becomes"), list(_carried(given)))),
            *section("Without counterpart", *map(Text, _left(given))),
            *section(
                f"Not in the file: {report.peer}'s defaults",
                Table(
                    ("key", "value", "becomes"),
                    list(_carried(k for k in report.keys if k.is_default)),
                ),
            ),
        ],
    )


def differences(keys: Sequence[KeyFate], file: str) -> Iterator[Problem]:
    """A warning for each reason why training will differ, with the keys that it is the reason of."""
    reasons: dict[str, list[str]] = defaultdict(list)
    for key in keys:
        if key.differs:
            reasons[key.why].append(key.key)
    for why, names in reasons.items():
        yield Problem(level="warning", file=file, key=", ".join(names), message=why)


def _carried(keys: "Sequence[KeyFate] | Iterator[KeyFate]") -> Iterator[tuple[str, str, str]]:
    for key in keys:
        if key.fate == "mapped":
            becomes = ", ".join(f"{name}: {value}" for name, value in key.becomes.items())
            yield key.key, key.value, becomes


def _left(keys: Sequence[KeyFate]) -> Iterator[str]:
    reasons: dict[str, list[str]] = defaultdict(list)
    for key in keys:
        if key.fate != "mapped":
            reasons[key.why].append(key.key)
    for why, names in reasons.items():
        yield f"{', '.join(names)}: {why}"
