"""Large files to training rows: slices to chunks by an engine, repeats among all, files that go out.

Memory is bounded by the number of rows (about 300 bytes for each while repeats are looked for) and by the
slices under way, not by the size of the files. A chunk that is done is not made again: after a kill
the same call goes on, and the result is the same to the byte."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from finewright.data.scale.chunk import Options, made_of
from finewright.data.scale.columns import Columns
from finewright.data.scale.engines import engine_named
from finewright.data.scale.pieces import absolute
from finewright.data.scale.repeats import repeats_in
from finewright.data.scale.slices import (
    SLICE_BYTES,
    Slice,
    is_cut_where_it_lies,
    slices,
    unroll,
)
from finewright.data.scale.workspace import Workspace, plan_of
from finewright.data.scale.write import (
    FINDINGS,
    REJECTED,
    ROWS,
    Joined,
    artifacts,
    examples,
    write_files,
)
from finewright.errors import DataError
from finewright.guard.controls import ControlTokens
from finewright.guard.privacy.apply import found_line, mend_of
from finewright.guard.privacy.find import SECRETS
from finewright.rows.containers.found import said
from finewright.rows.containers.manifest import Part
from finewright.rows.containers.parts import parts_of
from finewright.schema.common import Problem, Source
from finewright.schema.data import EngineName
from finewright.schema.listing import Counted, Listing
from finewright.schema.privacy import FoundType
from finewright.schema.scale import FoundCount, PrepareReport, PrepareSpec, SliceTally
from finewright.store.atomic import beside, sha256_file, write_bytes

_UNLOOKED = ("invalid", "unreadable")
_MANY = ("they stay", "the place of each")
_MOST_NAMED = 3
OnEvent = Callable[[str, Mapping[str, Any]], None]  # Any: what an event says


class How(NamedTuple):
    """Where and how the work is done; none of it changes the result."""

    engine: EngineName = "local"
    workers: int = 1
    slice_bytes: int = SLICE_BYTES


class _Order(NamedTuple):
    """What was asked, of which files, and the digest of both."""

    spec: PrepareSpec
    sources: Sequence[Source]
    plan: str


def prepare_rows(
    paths: Sequence[Path],
    folder: Path,
    spec: PrepareSpec,
    how: How,
    keys: tuple[bytes, bytes],
    on_event: OnEvent,
) -> PrepareReport:
    """Check, scan and deduplicate every row of the files, into `folder`.

    Files without a single row leave nothing behind: DataError.
    `keys` are the user's (empty for none) and a fresh one, for pseudonyms. Events: `preparing_rows` (`done`
    of `total` slices, `rows` so far) and `preparing_step` (`step`: chunks, duplicates, files)."""
    parts = _parts(paths)
    sources = [Source(path=part.name, sha256=sha256_file(part.path)) for part in parts]
    user_key, fresh_key = keys
    plan = plan_of(spec, sources, user_key, how.slice_bytes)
    space = Workspace(folder)
    with space.held():
        finished = space.finished(plan)
        if finished:
            return finished
        space.begin(plan, sources)
        options = Options(spec, user_key or space.key(fresh_key), has_own_key=bool(user_key))
        cut = _slices(parts, space, how.slice_bytes)
        tallies = _chunks(cut, options, how, space, on_event)
        if not any(tally.rows_in for tally in tallies):
            space.abandon()
            raise _no_rows(sources, tallies)
        joined = _joined(cut, spec, space, on_event)
        on_event("preparing_step", {"step": "files"})
        repeated = write_files(joined, space.out)
        report = _report(tallies, _Order(spec, sources, plan), joined, repeated, space.out)
        space.end(report)
    return report


def _parts(paths: Sequence[Path]) -> list[Part]:
    found = [part for path in paths for part in parts_of(path)]
    wrong = [part for part in found if isinstance(part, Problem) and part.level == "error"]
    if wrong:
        raise DataError("\n".join(problem.line() for problem in wrong))
    return [absolute(part) for part in found if isinstance(part, Part)]


def _no_rows(sources: Sequence[Source], tallies: Sequence[SliceTally]) -> DataError:
    errors = [problem.line() for problem in _listed(tallies) if problem.level == "error"]
    names = ", ".join(source.path for source in sources[:_MOST_NAMED]) or "these paths"
    return DataError("\n".join(errors) or f"{names}: there are no rows in it")


def _slices(parts: Sequence[Part], space: Workspace, size: int) -> list[Slice]:
    cut: list[Slice] = []
    for number, part in enumerate(parts):
        path = part.path
        if not is_cut_where_it_lies(part):
            path = space.unrolled / f"{number:06d}.jsonl"
            if not path.exists():
                temporary = beside(path)
                unroll(part, temporary)
                temporary.replace(path)
        cut += slices(part, path, len(cut), size)
    return cut


def _chunks(
    cut: Sequence[Slice], options: Options, how: How, space: Workspace, on_event: OnEvent
) -> list[SliceTally]:
    """Have the chunks made that are not there, and give the tallies of all, in order."""
    on_event("preparing_step", {"step": "chunks"})
    tallies = {
        part.number: _tally(space, part) for part in cut if space.chunk(part.number).exists()
    }
    missing = [part for part in cut if part.number not in tallies]
    engine = engine_named(how.engine)
    for made in engine(missing, made_of, options, how.workers) if missing else ():
        write_bytes(space.chunk(made.number), made.content)
        tallies[made.number] = _tally(space, cut[made.number])
        rows = sum(tally.rows_in for tally in tallies.values())
        on_event("preparing_rows", {"done": len(tallies), "total": len(cut), "rows": rows})
    return [tallies[part.number] for part in cut]


def _tally(space: Workspace, part: Slice) -> SliceTally:
    with np.load(space.chunk(part.number)) as chunk:
        return SliceTally.model_validate_json(chunk["tally"].tobytes())


def _joined(cut: Sequence[Slice], spec: PrepareSpec, space: Workspace, on_event: OnEvent) -> Joined:
    on_event("preparing_step", {"step": "duplicates"})
    chunks = [space.chunk(part.number) for part in cut]
    columns = Columns(chunks, space.columns, with_near=spec.duplicates.near != "off")
    repeats = repeats_in(columns, spec.duplicates)
    return Joined(chunks, [part.part.name for part in cut], columns, repeats)


def _report(
    tallies: Sequence[SliceTally],
    order: _Order,
    joined: Joined,
    repeated: Counter[str],
    out: Path,
) -> PrepareReport:
    dropped: Counter[str] = Counter(repeated)
    types: Counter[Any] = Counter()  # Any: DataType
    for tally in tallies:
        dropped.update(tally.rows_dropped)
        types.update(tally.types)
    found = _found(tallies)
    kinds = Counter(joined.repeats.kind(i) for i in range(len(joined.repeats.rows)))
    return PrepareReport(
        rows_in=sum(tally.rows_in for tally in tallies),
        rows_kept=sum(tally.rows_kept for tally in tallies) - repeated.total(),
        rows_changed=sum(tally.rows_changed for tally in tallies),
        rows_dropped=dict(sorted(dropped.items())),
        types=dict(sorted(types.items())),
        sources=tuple(order.sources),
        duplicates=dict(sorted(kinds.items())),
        examples=tuple(examples(joined)),
        found=found,
        problems=(
            *_listed(tallies),
            *_controls(tallies),
            *_told(found, order.spec),
            *_unlooked(order.sources, dropped),
        ),
        files=artifacts(out),
        plan=order.plan,
    )


def _found(tallies: Sequence[SliceTally]) -> dict[FoundType, FoundCount]:
    total: dict[FoundType, FoundCount] = {}
    for tally in tallies:
        for kind, count in tally.found.items():
            so_far = total.setdefault(kind, count)
            if so_far is not count:
                sums = {"spans": so_far.spans + count.spans, "rows": so_far.rows + count.rows}
                total[kind] = so_far.model_copy(update=sums)
    return dict(sorted(total.items()))


def _told(found: Mapping[FoundType, FoundCount], spec: PrepareSpec) -> Iterator[Problem]:
    for kind, count in found.items():
        section = spec.secrets if kind in SECRETS else spec.personal_data
        stays, places = ("it stays", "its place") if count.spans == 1 else _MANY
        yield said(
            count.file,
            f"{found_line(kind, count.spans, count.rows, section.action)}; {FINDINGS} has {places}",
            f"{stays} in {ROWS}: {mend_of(kind)}" if section.action == "report" else "",
            count.row,
            "warning",
        )


def _unlooked(sources: Sequence[Source], dropped: Mapping[str, int]) -> Iterator[Problem]:
    """One line, the last, for all rows that no check could look at."""
    if number := sum(dropped.get(reason, 0) for reason in _UNLOOKED):
        file = sources[0].path if len(sources) == 1 else ""
        rows = "1 row" if number == 1 else f"{number} rows"
        yield said(file, f"{rows} could not be looked at", f"{REJECTED} says why of each")


def _controls(tallies: Sequence[SliceTally]) -> list[Problem]:
    seen = ControlTokens()
    for tally in tallies:
        seen.join(tally.controls)
    return seen.problems()


def _listed(tallies: Sequence[SliceTally]) -> tuple[Problem, ...]:
    """The first problems of each file and level over all slices, and the counts of the others."""
    listing = Listing()
    for tally in tallies:
        counted = (Counted(listed.problem, listed.number) for listed in tally.problems)
        listing.join(counted, {(left.file, left.level): left.count for left in tally.more})
    return listing.problems()
