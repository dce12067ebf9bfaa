"""`data show`: what the data door sees in a path, before anything is made of it."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from finewright.errors import DataError
from finewright.report.cells import count_of
from finewright.rows.containers.found import ReadRow
from finewright.rows.fates import (
    ReadOptions,
    RowFate,
    RowFile,
    fates_in,
    files_of,
)
from finewright.rows.formats.columns import rename_columns
from finewright.rows.formats.native import Form, fitting
from finewright.rows.formats.proposals import proposals_of
from finewright.rows.formats.propose import Proposal, Proposals
from finewright.rows.notes import Json, RowNotes, kind_of_json
from finewright.rows.read import container_of, rows_of
from finewright.rows.shapes import MOST_ROWS
from finewright.schema.common import Problem, errors_of
from finewright.schema.data import DataType
from finewright.schema.formats import (
    DataShowReport,
    FileSeen,
    FormatSeen,
    KeySeen,
    ProposalSeen,
    RowSeen,
)
from finewright.schema.listing import Listing

UNKNOWN = "unknown"
_CONTAINERS = {
    "lines": "JSONL, an object a line",
    "array": "JSON, an array of objects",
    "objects": "JSON, objects over several lines",
    "table": "CSV or TSV, the columns by its header",
    "sheet": "Excel, the columns by the first row",
    "parquet": "Parquet",
    "arrow": "Arrow",
    "text": "text, one row a file",
}
_MOST_FILES, _MOST_KEYS = 20, 100


def show(
    path: Path,
    options: ReadOptions = ReadOptions(),  # noqa: B008 - a tuple that nobody changes
    limit: int = 3,
) -> DataShowReport:
    """Containers, formats with why, keys, a proposal where nothing fits, and `limit` rows as they become.

    Every row is read and converted; those that are refused are counted, and `data check` names their
    mistakes. Memory does not grow with the rows."""
    files = [*files_of(path, options)]
    sight = _Sight(files=list(_files(files)))
    listing = Listing()
    for file in files:
        if isinstance(file, Problem):
            listing.add(file)
            continue
        for item in fates_in(rows_of(file.part), file.options):
            if isinstance(item, Problem):
                listing.add(item)
            elif isinstance(item.origin, ReadRow):
                sight.add(item, item.origin, is_shown=len(sight.first) < limit)
            else:
                sight.num_bad += 1
                listing.add(item.origin.problem)
    said = [*listing.problems(), *_of_texts(path, sight), *_of_refused(path, sight)]
    return sight.report(path, said)


def _of_texts(path: Path, sight: "_Sight") -> Iterator[Problem]:
    texts = (n for n, seen in sight.forms.items() if seen.format == "text" and seen.type is None)
    num = sum(sight.counts[name] for name in texts)
    found = sight.proposals().one
    if num:
        yield Problem(
            level="error",
            file=str(path).encode(errors="replace").decode(),
            message=f"{count_of(num, 'row is', 'rows are')} plain text, which is not trained on",
            hint=found.options()
            if found
            else "write `prompt` and `completion`; to answer from such texts: `finewright rag index`",
        )


def _of_refused(path: Path, sight: "_Sight") -> Iterator[Problem]:
    if num := sight.num_refused:
        file = str(path).encode(errors="replace").decode()
        what = f"{count_of(num, 'row is', 'rows are')} of a known format and refused"
        hint = f"finewright data check {file} says why"
        yield Problem(level="error", file=file, message=what, hint=hint)


def _files(found: Sequence[RowFile | Problem]) -> Iterator[FileSeen]:
    """The first files and their containers; what is wrong with one is told when it is read."""
    parts = [file.part for file in found if not isinstance(file, Problem)]
    for part in parts[:_MOST_FILES]:
        try:
            kind, stream = container_of(part)
        except (DataError, OSError):
            continue
        packed = f"{stream.packing} of " if stream.packing else ""
        yield FileSeen(path=part.name, container=f"{packed}{_CONTAINERS[kind]}")
    if parts[_MOST_FILES:]:
        yield FileSeen(path=f"and {len(parts) - _MOST_FILES} more", container="")


@dataclass(slots=True)
class _Sight:
    """What was seen so far."""

    files: list[FileSeen] = field(default_factory=list)
    forms: dict[str, FormatSeen] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)
    keys: dict[str, Counter[str]] = field(default_factory=dict)
    unknown: dict[str, list[Json]] = field(default_factory=dict)
    first: list[RowSeen] = field(default_factory=list)
    num_rows: int = 0
    num_bad: int = 0
    num_refused: int = 0

    def add(self, fate: RowFate, row: ReadRow, *, is_shown: bool) -> None:
        self.num_rows += 1
        for key, value in row.data.items():
            if key in self.keys or len(self.keys) < _MOST_KEYS:
                self.keys.setdefault(key, Counter())[kind_of_json(value)] += 1
        self._count(fate)
        is_known = fate.form is not None and bool(fate.form.types)
        if not is_known:
            data = rename_columns(row.data, fate.options.columns, RowNotes(row.file, row.row))
            self._take_unknown(row.file, data)
        if is_shown:
            self.first.append(_show_fate(fate))
        self.num_refused += is_known and "invalid" in fate.dropped

    def _take_unknown(self, file: str, data: Json) -> None:
        """Of each of the first files, the first rows of no known format."""
        if any(form.types for form in fitting(data, "auto", "auto")):
            return  # it is a row as it stands, of a type that is to be chosen: nothing is to be renamed
        if file in self.unknown or len(self.unknown) < _MOST_FILES:
            seen = self.unknown.setdefault(file, [])
            if len(seen) < MOST_ROWS:
                seen.append(data)

    def proposals(self) -> Proposals:
        """What fits the rows of the first file of which something is proposed."""
        every = (proposals_of(rows) for rows in self.unknown.values())
        return next((found for found in every if found.one or found.choices), Proposals())

    def _count(self, fate: RowFate) -> None:
        form = fate.form
        why = form.why if form else _why_unknown(fate)
        # One line for all that is unknown: each such message names its own row's keys.
        name = f"{form.family}: {why}" if form else UNKNOWN
        if name not in self.forms:
            self.forms[name] = FormatSeen(
                format=form.family if form else UNKNOWN,
                type=_type(form, fate.options) if form else None,
                why=why,
                rows=0,
                first_row=fate.row,
            )
        self.counts[name] += 1

    def report(self, path: Path, problems: Iterable[Problem]) -> DataShowReport:
        keys = sorted(self.keys.items(), key=lambda item: -item[1].total())
        proposals = self.proposals()
        return DataShowReport(
            path=str(path).encode(errors="replace").decode(),
            files=tuple(self.files),
            rows=self.num_rows,
            unreadable=self.num_bad,
            refused=self.num_refused,
            formats=tuple(
                self.forms[name].model_copy(update={"rows": count})
                for name, count in self.counts.most_common()
            ),
            keys=tuple(
                KeySeen(key=key, rows=kinds.total(), values=dict(kinds.most_common()))
                for key, kinds in keys
            ),
            proposal=_show_proposal(proposals.one) if proposals.one else None,
            question=proposals.question,
            choices=tuple(map(_show_proposal, proposals.choices)),
            first=tuple(self.first),
            problems=tuple(problems),
        )


def _why_unknown(fate: RowFate) -> str:
    return errors_of(fate.problems)[0].message


def _type(form: Form, options: ReadOptions) -> DataType | None:
    """The type that the rows are taken as; None where they are known and refused."""
    if options.type in form.types:
        return options.type
    return form.types[0] if form.types else None


def _show_proposal(proposal: Proposal) -> ProposalSeen:
    return ProposalSeen(
        columns=dict(proposal.columns),
        why=proposal.why,
        line=proposal.line(),
        options=proposal.options(),
    )


def _show_fate(fate: RowFate) -> RowSeen:
    return RowSeen(
        file=fate.file,
        row=fate.row,
        format=fate.form.family if fate.form else UNKNOWN,
        becomes=tuple(json.loads(json.dumps(made.to_json())) for made in fate.rows),
        problems=fate.problems,
    )
