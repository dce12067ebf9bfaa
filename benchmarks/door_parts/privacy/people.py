"""Names and addresses in tickets of six languages, with people of FakeNameGenerator.com of 30 countries."""

import csv
import io
import random
import re
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from bars import Bar
from door_parts.privacy.tickets import NOBODY, TEST
from finewright.fetch.cache import pip_wheel
from finewright.guard.privacy.find import find

# The wheel is read and not installed; the same one as in benchmarks/privacy.py.
WHEEL = (
    "presidio-evaluator", "0.3.2", "57614fe604e52b78e6de25b767c59265886b93bbcdc6c7e43ab2657d3f6302be",
)  # fmt: skip
PEOPLE = "presidio_evaluator/data_generator/raw_data/FakeNameGenerator.com_3000.csv"
_AFTER_TOWN = frozenset({"GB", "US", "CA", "AU", "NZ", "ZA"})


class Ticket(NamedTuple):
    """A text, and the names and addresses in it."""

    text: str
    spans: frozenset[tuple[int, int, str]]


class Counts(NamedTuple):
    """True spans, those that are found, spans that are called, and those that are true; by overlap."""

    true: int
    found: int
    called: int
    right: int

    @property
    def recall(self) -> float:
        return self.found / self.true

    @property
    def precision(self) -> float:
        return self.right / self.called


def bars() -> Iterator[Bar]:
    """Recall and precision of names and addresses on tickets that chose nothing."""
    made = tickets(TEST, each=60)
    nobody = [Ticket(text, frozenset()) for text in NOBODY]
    for type_ in ("name", "address"):
        counts = counted([*made, *nobody], type_)
        on = f"{counts.true} in {len(made)} tickets of 6 languages and 30 countries, {len(nobody)} without"
        yield Bar(f"{type_} recall", counts.recall, 0.75, on=on)
        yield Bar(f"{type_} precision", counts.precision, 0.9, on=f"{counts.called} called")


def people() -> Sequence[Mapping[str, str]]:
    """The odd half of the people; the even one chose limits."""
    with zipfile.ZipFile(pip_wheel(*WHEEL)) as wheel:
        text = wheel.read(PEOPLE).decode("utf-8-sig")
    return list(csv.DictReader(io.StringIO(text)))[1::2]


def address(row: Mapping[str, str]) -> str:
    """The street, the town and the postcode as the country orders them."""
    code = f"{row['State']} {row['ZipCode']}" if row["Country"] in _AFTER_TOWN else row["ZipCode"]
    code = row["ZipCode"] if row["Country"] == "GB" else code
    town = f"{row['City']}, {code}" if row["Country"] in _AFTER_TOWN else f"{code} {row['City']}"
    return f"{row['StreetAddress']}, {town}"


def tickets(frames: Sequence[str], *, each: int) -> list[Ticket]:
    """Every frame filled so often."""
    draw = random.Random("True")  # noqa: S311
    rows = people()
    return [filled(frame, draw.sample(rows, 2)) for frame in frames for _ in range(each)]


def filled(frame: str, rows: Sequence[Mapping[str, str]]) -> Ticket:
    """A frame with one person and another."""
    values: dict[str, str] = {}
    for number, row in zip(("", "2"), rows, strict=True):
        given, surname = row["GivenName"], row["Surname"]
        values |= {
            f"name{number}": f"{given} {surname}",
            f"given{number}": given,
            f"surname{number}": surname,
        }
        values[f"address{number}"] = address(row)
    text, spans, last = "", set(), 0
    for gap in re.finditer(r"\{(\w+)\}", frame):
        text += frame[last : gap.start()]
        type_ = "address" if gap[1].startswith("address") else "name"
        spans.add((len(text), len(text) + len(values[gap[1]]), type_))
        text, last = text + values[gap[1]], gap.end()
    return Ticket(text + frame[last:], frozenset(spans))


def counted(made: Sequence[Ticket], type_: str) -> Counts:
    """What is found and called; a span counts where it shares most of its characters with a true one."""
    totals = [0, 0, 0, 0]
    for ticket in made:
        true = [span for span in ticket.spans if span[2] == type_]
        called = [span for span in find(ticket.text, {"name", "address"}) if span.type == type_]
        pairs = [(t, c) for t in true for c in called if _is_same(t[0], t[1], c.start, c.end)]
        totals[0] += len(true)
        totals[1] += len({pair[0] for pair in pairs})
        totals[2] += len(called)
        totals[3] += len({pair[1] for pair in pairs})
    return Counts(*totals)


def _is_same(start: int, end: int, first: int, last: int) -> bool:
    common = min(end, last) - max(start, first)
    return common > 0 and common >= (max(end, last) - min(start, first)) / 2
