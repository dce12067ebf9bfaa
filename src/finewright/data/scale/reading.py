"""The sources of a run, read by an engine: the same rows, counts and problems as `read_source` gives.

Plain JSONL is cut into slices; a file of any other container is one piece of the work. A worker reads and
checks rows, takes the digest of each record, and looks which rows hold personal data, secrets or control
tokens. What becomes of those rows is for the door to say, in one process: so the key that pseudonyms are
made with stays in it."""

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from finewright.data.door import Holding, Place
from finewright.data.scale.engines import Engine, engine_named
from finewright.data.scale.pieces import absolute
from finewright.data.scale.slices import SLICE_BYTES, Slice, found_in, is_cut_where_it_lies, slices
from finewright.data.source import AskedPart, SourceRows, parts_asked
from finewright.errors import MissingExtra
from finewright.guard.controls import spelled
from finewright.guard.privacy.apply import apply
from finewright.rows.containers.rows import rows_of
from finewright.schema.common import Problem
from finewright.schema.data import DataSpec, SourceSpec
from finewright.schema.listing import Counted
from finewright.schema.privacy import PersonalDataSpec, SecretsSpec
from finewright.schema.rows import Row

S = TypeVar("S", PersonalDataSpec, SecretsSpec)
Json = dict[str, Any]  # Any: free JSON


class How(NamedTuple):
    """Who reads, and in which slices; none of it changes the result."""

    engine: Engine
    workers: int
    slice_bytes: int = SLICE_BYTES


class Looked(NamedTuple):
    """What a worker looks for in rows. It changes none."""

    personal: PersonalDataSpec
    secrets: SecretsSpec


class Piece(NamedTuple):
    """A piece of the work: a file of a source, or a slice of it."""

    number: int
    source: SourceSpec
    asked: AskedPart
    cut: Slice | None


class Read(NamedTuple):
    """The sources in the order of the spec, and the rows that a check has to look at."""

    sources: list[SourceRows]
    holding: Holding


def read_sources(
    spec: DataSpec, paths: Sequence[Path], personal: PersonalDataSpec, how: How | None = None
) -> Read:
    """Read and check all sources of the spec, which lie at `paths`; `personal` has its paths resolved."""
    how = how or How(engine_named(spec.engine), os.cpu_count() or 1)
    plan = _Plan(how.slice_bytes)
    for number, (source, path) in enumerate(zip(spec.sources, paths, strict=True)):
        plan.add(SourceRows(source, path), parts_asked(number, spec, path))
    looked = Looked(_only_told(personal), _only_told(spec.secrets))
    made = how.engine(plan.pieces, made_of, looked, how.workers) if plan.pieces else ()
    return plan.joined({number: json.loads(content) for number, content in made})


def _only_told(section: S) -> S:
    """The section as who only looks needs it: what is sought, and not what stands for it."""
    changed: Json = {} if section.action == "off" else {"action": "report"}
    if isinstance(section, PersonalDataSpec):
        # A worker may have another current folder.
        ner = str(Path(section.ner).absolute()) if section.ner else ""
        changed |= {"key_file": "", "ner": ner}
    return section.model_copy(update=changed)


class _File(NamedTuple):
    """A file of a source, and the numbers of its pieces."""

    asked: AskedPart
    numbers: range


@dataclass(slots=True)
class _Plan:
    """What each source gives, in order, and the pieces of all of them."""

    slice_bytes: int
    sources: list[SourceRows] = field(default_factory=list)
    steps: list[list[Problem | _File]] = field(default_factory=list)
    pieces: list[Piece] = field(default_factory=list)

    def add(self, found: SourceRows, parts: Iterator[AskedPart | Problem]) -> None:
        self.sources.append(found)
        steps: list[Problem | _File] = []
        for item in parts:
            if isinstance(item, Problem):
                steps.append(item)
            else:
                first = len(self.pieces)
                self.pieces += self._pieces(found.spec, item, first)
                steps.append(_File(item, range(first, len(self.pieces))))
        self.steps.append(steps)

    def _pieces(self, source: SourceSpec, item: AskedPart, first: int) -> Iterator[Piece]:
        asked = AskedPart(absolute(item.part), item.asked)
        if not is_cut_where_it_lies(asked.part):
            yield Piece(first, source, asked, None)
            return
        for cut in slices(asked.part, asked.part.path, first, self.slice_bytes):
            yield Piece(cut.number, source, asked, cut)

    def joined(self, made: dict[int, Json]) -> Read:
        controls: set[Place] = set()
        private: set[Place] = set()
        for found, steps in zip(self.sources, self.steps, strict=True):
            for step in steps:
                if isinstance(step, Problem):
                    found.listing.add(step)
                    continue
                part, asked = step.asked
                given = [made.pop(number) for number in step.numbers]
                if not any(piece["records"] or piece["dropped"] for piece in given):
                    # That there is nothing in a file is said by who reads all of it.
                    found.read(rows_of(part), asked)
                    continue
                for piece in given:
                    _add(found, part.name, piece)
                    controls.update((part.name, row) for row in piece["controls"])
                    private.update((part.name, row) for row in piece["private"])
        return Read(self.sources, Holding(controls, private))


def made_of(piece: Piece, looked: Looked) -> bytes:
    """What became of the piece's rows, as JSON."""
    part, asked = piece.asked
    found = SourceRows(piece.source, part.path)
    found.read(found_in(piece.cut) if piece.cut else rows_of(part), asked)
    made = {
        "rows": [row.to_json() for row in found.rows],
        "types": found.types,
        "dropped": found.dropped,
        "records": [[row, digest] for (_, row), digest in found.records.items()],
        "formats": found.formats,
        "listed": [[p.model_dump(mode="json"), count] for p, count in found.listing.counted()],
        "more": [[*place, count] for place, count in found.listing.more.items()],
        "controls": sorted({row.row for row in found.rows if any(True for _ in spelled(row))}),
        "private": sorted(_private(found.rows, looked)),
    }
    return json.dumps(made).encode()


def _private(rows: Sequence[Row], looked: Looked) -> set[int]:
    if looked.personal.action == looked.secrets.action == "off":
        return set()
    try:
        report = apply(rows, looked.personal, looked.secrets, b"").report
    except MissingExtra:
        # Whether one can do without is for the door to say; it looks at all of them, and misses it too.
        return {row.row for row in rows}
    return {found.row for found in report.findings}


def _add(found: SourceRows, file: str, piece: Json) -> None:
    found.rows += map(Row.from_json, piece["rows"])
    found.types.update(piece["types"])
    found.dropped.update(piece["dropped"])
    found.records.update({(file, row): digest for row, digest in piece["records"]})
    found.formats.update(piece["formats"])
    counted = (Counted(Problem.model_validate(told), count) for told, count in piece["listed"])
    more = {(named, level): count for named, level, count in piece["more"]}
    found.listing.join(counted, more)
