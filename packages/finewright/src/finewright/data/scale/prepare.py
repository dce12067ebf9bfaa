"""Large files to training rows: slices to chunks by an engine, repeats among all, files that go out.

Memory is bounded by the number of rows (about 300 bytes for each while repeats are looked for) and by the
slices under way, not by the size of the files. A chunk that is done is not made again: after a kill
the same call goes on, and the result is the same to the byte."""

import json
import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from finewright.data.duplicates import report_uncompared
from finewright.data.scale.chunk import Options, SliceTally, make_chunk
from finewright.data.scale.columns import Columns
from finewright.data.scale.compared import ComparingAhead
from finewright.data.scale.engines import engine_named
from finewright.data.scale.repeats import Repeats, repeats_in
from finewright.data.scale.slices import (
    SLICE_BYTES,
    Slice,
    absolute,
    is_cut_where_it_lies,
    slices,
    unroll,
)
from finewright.data.scale.workspace import Workspace, plan_of
from finewright.data.scale.write import (
    FINDINGS,
    REJECTED,
    REPEATS,
    ROWS,
    Joined,
    artifacts,
    examples,
    write_files,
)
from finewright.errors import DataError
from finewright.guard.privacy.find import SECRETS
from finewright.guard.privacy.wording import describe_found, mend_of
from finewright.rows.containers.found import file_problem
from finewright.rows.fates import ReadOptions, RowFile, files_of
from finewright.rows.formats.native import family_named
from finewright.rows.notes import Json
from finewright.rows.tally import Tally
from finewright.schema.common import Problem, Source, errors_of
from finewright.schema.data import EngineName
from finewright.schema.data_check import FoundRows
from finewright.schema.duplicates import DuplicatesSpec
from finewright.schema.listing import Listing
from finewright.schema.privacy import FoundType
from finewright.schema.scale import FoundCount, PrepareReport, PrepareSpec
from finewright.store.atomic import beside, sha256_file, write_bytes

# A chunk has the rows, and at least as much again goes out or is what repeats are found by.
_LEAST_SPACE = 2
_UNLOOKED = ("invalid", "unreadable")
_MANY = ("they stay", "the place of each")
_MOST_NAMED = 3
OnEvent = Callable[[str, Mapping[str, Any]], None]  # Any: what an event says


class PrepareSettings(NamedTuple):
    """Where and how the work is done; none of it changes the result."""

    engine: EngineName = "local"
    workers: int = 1
    slice_bytes: int = SLICE_BYTES


class _Order(NamedTuple):
    """What was asked, of which files, the digest of both, and what must be said of files before they are
    read."""

    spec: PrepareSpec
    sources: Sequence[Source]
    plan: str
    noted: Sequence[Problem]


def prepare_rows(
    paths: Sequence[Path],
    folder: Path,
    spec: PrepareSpec,
    how: PrepareSettings,
    keys: tuple[bytes, bytes],
    on_event: OnEvent,
) -> PrepareReport:
    """Check, scan and deduplicate every row of the files, into `folder`.

    Files without a single row leave nothing behind: DataError.
    `keys` are the user's (empty for none) and a fresh one, for pseudonyms. Events: `preparing_rows` (`done`
    of `total` slices, `rows` so far) and `preparing_step` (`step`: chunks, duplicates, files)."""
    files, noted = _files(paths, spec)
    sources = [Source(path=file.part.name, sha256=sha256_file(file.part.path)) for file in files]
    user_key, fresh_key = keys
    plan = plan_of(spec, files, sources, user_key, how.slice_bytes)
    space = Workspace(folder)
    with space.hold():
        finished = space.read_finished(plan)
        if finished:
            return finished
        space.begin(plan, sources)
        options = Options(spec, user_key or space.key(fresh_key), has_own_key=bool(user_key))
        cut = _slices(files, space, how.slice_bytes)
        tally = _chunks(cut, options, how, space, on_event)
        if not tally.rows.rows_in:
            space.abandon()
            raise _no_rows(sources, tally.rows.listing)
        joined = _join_chunks(cut, spec, how, space, on_event)
        on_event("preparing_step", {"step": "files"})
        tally.rows.drop(write_files(joined, space.out))
        report = _report_preparation(tally, _Order(spec, sources, plan, noted), joined, space.out)
        space.end(report)
    return report


class _Files(NamedTuple):
    """The files to read, and what must be said of those that are not."""

    files: Sequence[RowFile]
    noted: Sequence[Problem]


def _files(paths: Sequence[Path], spec: PrepareSpec) -> _Files:
    family = family_named(spec.format) or "auto"
    options = ReadOptions(spec.type, family, spec.columns, encoding=spec.encoding)
    found = [file for path in paths for file in files_of(path, options)]
    noted = [file for file in found if isinstance(file, Problem)]
    if wrong := [problem.line() for problem in errors_of(noted)]:
        raise DataError("\n".join(wrong))
    return _Files([absolute(file) for file in found if isinstance(file, RowFile)], noted)


def _no_rows(sources: Sequence[Source], listing: Listing) -> DataError:
    errors = [problem.line() for problem in errors_of(listing.problems())]
    names = ", ".join(source.path for source in sources[:_MOST_NAMED]) or "these paths"
    return DataError("\n".join(errors) or f"{names}: there are no rows in it")


def _slices(files: Sequence[RowFile], space: Workspace, size: int) -> list[Slice]:
    cut: list[Slice] = []
    for number, file in enumerate(files):
        path = file.part.path
        if not is_cut_where_it_lies(file.part):
            path = space.unrolled / f"{number:06d}.jsonl"
            if not path.exists():
                temporary = beside(path)
                unroll(file.part, temporary)
                temporary.replace(path)
        cut += slices(file, path, len(cut), size)
    return cut


def _chunks(
    cut: Sequence[Slice],
    options: Options,
    how: PrepareSettings,
    space: Workspace,
    on_event: OnEvent,
) -> SliceTally:
    """Have the chunks made that are not there, and give the tally of all."""
    on_event("preparing_step", {"step": "chunks"})
    tallies = {
        part.number: _tally(space, part.number) for part in cut if space.chunk(part.number).exists()
    }
    missing = [part for part in cut if part.number not in tallies]
    space.refuse_small_disk(_LEAST_SPACE * sum(part.num_bytes for part in missing))
    rows = sum(Tally.from_json(tally["rows"]).rows_in for tally in tallies.values())
    engine = engine_named(how.engine)
    for made in engine(missing, make_chunk, options, how.workers) if missing else ():
        write_bytes(space.chunk(made.number), made.content)
        tallies[made.number] = _tally(space, made.number)
        rows += Tally.from_json(tallies[made.number]["rows"]).rows_in
        on_event("preparing_rows", {"done": len(tallies), "total": len(cut), "rows": rows})
    total = SliceTally()
    for part in cut:
        total.join(tallies[part.number])
    return total


def _tally(space: Workspace, number: int) -> Json:
    with np.load(space.chunk(number)) as chunk:
        return dict(json.loads(chunk["tally"].tobytes()))


def _join_chunks(
    cut: Sequence[Slice],
    spec: PrepareSpec,
    how: PrepareSettings,
    space: Workspace,
    on_event: OnEvent,
) -> Joined:
    on_event("preparing_step", {"step": "duplicates"})
    chunks = [space.chunk(part.number) for part in cut]
    columns = Columns(chunks, space.columns, with_near=spec.duplicates.near != "off")
    # The folder is of this machine, whoever read the slices: its own processors compare.
    num_here = how.workers if how.engine == "local" else os.cpu_count() or 1
    ahead = ComparingAhead(space.columns, spec.duplicates.similarity, num_here)
    repeats = repeats_in(columns.rows, spec.duplicates, ahead)
    columns.delete()
    return Joined(chunks, [part.file.part.name for part in cut], columns.places, repeats)


def _report_preparation(
    tally: SliceTally, order: _Order, joined: Joined, out: Path
) -> PrepareReport:
    rows, found = tally.rows, dict(sorted(tally.found.items()))
    kinds = Counter(joined.repeats.kind(i) for i in range(len(joined.repeats.rows)))
    return PrepareReport(
        rows_in=rows.rows_in,
        rows_kept=rows.kept,
        rows_changed=tally.num_changed,
        rows_dropped=dict(sorted(rows.dropped.items())),
        types=dict(sorted(rows.types.items())),
        sources=tuple(order.sources),
        duplicates=dict(sorted(kinds.items())),
        examples=tuple(examples(joined)),
        found=found,
        problems=(
            *order.noted,
            *rows.problems(),
            *tally.warnings.problems(),
            *_of_repeats(joined.repeats, order.spec.duplicates),
            *_finding_problems(found, order.spec),
            *_report_unlooked(order.sources, rows.dropped),
        ),
        findings=tuple(
            FoundRows(
                level=problem.level,
                file=problem.file,
                key=problem.key,
                message=problem.message,
                rows=tuple(rows_of),
            )
            for problem, rows_of in tally.warnings.problems_with_rows()
        ),
        files=artifacts(out),
        plan=order.plan,
    )


def _of_repeats(repeats: Repeats, spec: DuplicatesSpec) -> Iterator[Problem]:
    """How many near repeats are left out, or stay, and what was not looked at."""
    yield from report_uncompared(repeats.num_unfinished)
    num_near = int((~repeats.is_exact).sum())
    rows = "1 row says" if num_near == 1 else f"{num_near} rows say"
    what = f"{rows} nearly the same as another"
    if not num_near:
        return
    if spec.near == "drop":
        hint = f"{REJECTED} has each, and the row that it is like"
        yield Problem(level="info", message=f"{what}: left out", hint=hint)
    else:
        hint = f"{REPEATS} has each, and the row that it is like; --near drop leaves them out"
        yield Problem(level="info", message=f"{what}, and stay in {ROWS}", hint=hint)


def _finding_problems(
    found: Mapping[FoundType, FoundCount], spec: PrepareSpec
) -> Iterator[Problem]:
    for kind, count in found.items():
        section = spec.secrets if kind in SECRETS else spec.personal_data
        action = spec.personal_data.actions.get(kind, section.action)
        stays, places = ("it stays", "its place") if count.spans == 1 else _MANY
        line = describe_found(kind, count.spans, count.rows, action, count.retyped)
        yield file_problem(
            count.file,
            f"{line}; {FINDINGS} has {places}",
            f"{stays} in {ROWS}: {mend_of(kind)}" if action == "report" else "",
            count.row,
            "warning",
        )


def _report_unlooked(sources: Sequence[Source], dropped: Mapping[str, int]) -> Iterator[Problem]:
    """One line, the last, for all rows that no check could look at."""
    if number := sum(dropped.get(reason, 0) for reason in _UNLOOKED):
        file = sources[0].path if len(sources) == 1 else ""
        rows = "1 row" if number == 1 else f"{number} rows"
        yield file_problem(file, f"{rows} could not be looked at", f"{REJECTED} says why of each")
