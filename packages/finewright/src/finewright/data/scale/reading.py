"""The sources of a run, read: by this process a file at a time, or by an engine.

A worker of an engine has a slice of plain JSONL, or a whole file of any other container. It reads and checks
rows, takes the digest of each record, and looks which rows hold personal data or secrets. What becomes of
those rows is for the door to say, in one process: so the key that pseudonyms are made with stays in it."""

import json
import os
from collections.abc import Iterable, Iterator, Sequence, Set
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from finewright.data.privacy import Place, apply
from finewright.data.scale.slices import (
    SLICE_BYTES,
    Slice,
    absolute,
    fates_of,
    is_cut_where_it_lies,
    slices,
)
from finewright.data.source import RecordedRows, SourceRows, files_of_source
from finewright.errors import MissingExtra
from finewright.rows.fates import RowFile, fates_in
from finewright.rows.notes import Json
from finewright.rows.read import rows_of
from finewright.rows.tally import Tally
from finewright.schema.common import Problem
from finewright.schema.data import DataSpec
from finewright.schema.privacy import PersonalDataSpec, SecretsSpec
from finewright.schema.rows import Row

if TYPE_CHECKING:
    from finewright.data.scale.engines import Engine

S = TypeVar("S", PersonalDataSpec, SecretsSpec)


class ReadSettings(NamedTuple):
    """Who reads, and in which slices; none of it changes the result."""

    engine: "Engine"
    workers: int
    slice_bytes: int = SLICE_BYTES


class Looked(NamedTuple):
    """What a worker looks for in rows. It changes none."""

    personal: PersonalDataSpec
    secrets: SecretsSpec


class ReadSources(NamedTuple):
    """The sources in the order of the spec, and the places of all rows that hold personal data or secrets:
    None where nobody looked. A place too many does no harm: its row is looked at once more."""

    sources: list[SourceRows]
    private: Set[Place] | None


class _File(NamedTuple):
    """A file of a source, and the slices of it that workers read: none where this process does."""

    file: RowFile
    slices: list[Slice]


def read_sources(
    spec: DataSpec,
    paths: Sequence[Path],
    personal: PersonalDataSpec,
    how: ReadSettings | None = None,
) -> ReadSources:
    """Read and check all sources of the spec, which lie at `paths`; `personal` has its paths resolved.

    Problems are in the tallies."""
    how = how or _settings(spec)
    every: list[Slice] = []
    plan = [
        list(_steps(files_of_source(number, spec, path), every, how))
        for number, path in enumerate(paths)
    ]
    given: dict[int, Json] = {}
    if how and every:
        looked = Looked(_report_only(personal), _report_only(spec.secrets))
        made = how.engine(every, record_fates, looked, how.workers)
        given = {number: json.loads(content) for number, content in made}
    sources, private = list[SourceRows](), set[Place]()
    for source, path, steps in zip(spec.sources, paths, plan, strict=True):
        sources.append(SourceRows(spec=source, path=path))
        for step in steps:
            private |= _join(sources[-1], step, given)
    return ReadSources(sources, private if how else None)


def _settings(spec: DataSpec) -> ReadSettings | None:
    if spec.engine == "local":
        return None
    # What starts processes is loaded only where it is asked for.
    from finewright.data.scale.engines import engine_named

    return ReadSettings(engine_named(spec.engine), os.cpu_count() or 1)


def _slices(file: RowFile, first: int, size: int) -> Iterator[Slice]:
    if is_cut_where_it_lies(file.part):
        yield from slices(file, file.part.path, first, size)
    else:
        yield Slice(first, file, file.part.path)


def _report_only(section: S) -> S:
    """The section as who only looks needs it: what is sought, and not what stands for it."""
    changed: Json = {} if section.action == "off" else {"action": "report"}
    if isinstance(section, PersonalDataSpec):
        # A worker may have another current folder.
        ner = str(Path(section.ner).absolute()) if section.ner else ""
        section, changed = section.replace_actions("report"), {"key_file": "", "ner": ner}
    return section.model_copy(update=changed)


def _steps(
    files: Iterable[Problem | RowFile], every: list[Slice], how: ReadSettings | None
) -> Iterator[Problem | _File]:
    """The files of a source, cut where workers read them; their slices are added to `every`."""
    for file in files:
        if isinstance(file, Problem):
            yield file
        else:
            own = list(_slices(absolute(file), len(every), how.slice_bytes)) if how else []
            every += own
            yield _File(file, own)


def _join(source: SourceRows, step: Problem | _File, given: dict[int, Json]) -> set[Place]:
    """Add a file's rows, and give the places of those that hold something, where workers read it."""
    if isinstance(step, Problem):
        source.add(step)
        return set()
    part, options = step.file
    results = [given.pop(each.number) for each in step.slices]
    # That there is nothing in a file is said by who reads all of it.
    if not any(Tally.from_json(each["tally"]).rows_in for each in results):
        for item in fates_in(rows_of(part), options):
            source.add(item)
        return set()
    for each in results:
        source.join(part.name, each)
    return {(part.name, row) for each in results for row in each["private"]}


def record_fates(part: Slice, looked: Looked) -> bytes:
    """What became of the slice's rows, as JSON."""
    found = RecordedRows()
    for item in fates_of(part):
        found.add(item)
    made = {**found.to_json(), "private": sorted(_private(found.rows, looked))}
    return json.dumps(made).encode()


def _private(rows: Sequence[Row], looked: Looked) -> set[int]:
    if not looked.personal.actions and looked.secrets.action == "off":
        return set()
    try:
        report = apply(rows, looked.personal, looked.secrets, b"").report
    except MissingExtra:
        # Whether one can do without is for the door to say; it looks at all of them, and misses it too.
        return {row.row for row in rows}
    return {found.row for found in report.findings}
