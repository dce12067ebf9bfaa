"""The reports of the data door as sections of the page."""

from collections.abc import Mapping, Sequence

from finewright.render.html.page import Entry, Section, Table
from finewright.schema.common import Problem, RowCounts
from finewright.schema.provenance import CardLicence, CardSource, LedgerEntry
from finewright.schema.quality import Bar, Figure, QualityReport, RowRef

_MOST_PROBLEMS = 100
_MOST_ENTRIES = 50


def counts_section(counts: RowCounts, rows: Mapping[str, Sequence[RowRef]]) -> Section:
    """What became of the rows that were read; `rows` are those of `kept`, or of a reason, where known."""
    kept, truncated = counts.rows_kept, counts.rows_truncated
    num_dropped = sum(counts.rows_dropped.values())
    whole = Bar(label="kept whole", count=kept - truncated, rows=tuple(rows.get("kept", ())))
    parts = [Bar(label="truncated", count=truncated, is_notable=True)] if truncated else []
    parts += [
        Bar(
            label=f"dropped: {reason}",
            count=n,
            rows=tuple(rows.get(reason, ())),
            is_notable=True,
        )
        for reason, n in counts.rows_dropped.items()
    ]
    figure = Figure(
        name="fate",
        title="What became of the rows",
        about="Every row that was read is one of these.",
        kind="bars",
        rows=counts.rows_in,
        bars=(whole, *parts),
    )
    sum_ = f"{counts.rows_in} read = {kept - truncated} kept whole + {truncated} kept, truncated"
    return Section("counts", "Counts", f"{sum_} + {num_dropped} dropped.", figures=(figure,))


def problems_section(problems: Sequence[Problem]) -> Section:
    """All problems, errors first, each with its row."""
    order = {"error": 0, "warning": 1, "info": 2}
    ordered = sorted(problems, key=lambda problem: order[problem.level])
    counted = {level: sum(p.level == level for p in problems) for level in order}
    told = ", ".join(f"{n} {level}{'s' if n != 1 else ''}" for level, n in counted.items() if n)
    return Section(
        "problems",
        "Problems",
        told + "." if told else "None was found.",
        entries=tuple(map(_problem, ordered[:_MOST_PROBLEMS])),
        entries_left_out=max(0, len(ordered) - _MOST_PROBLEMS),
    )


def quality_section(report: QualityReport) -> Section:
    """Every figure with its picture and its rows."""
    intro = f"{report.rows} rows. A bar is a link to its rows."
    entries = tuple(map(_problem, report.problems))
    return Section("quality", "Quality", intro, figures=report.figures, entries=entries)


def licences_section(licenses: Sequence[CardLicence], figure: Figure | None = None) -> Section:
    """The licences of the rows, and the rows of each where they are known."""
    rows = tuple(
        (licence.license or "none stated", ", ".join(licence.classes), str(licence.rows))
        for licence in licenses
    )
    return Section(
        "licences",
        "Licences",
        "By SPDX id; a licence is the row's own, else its file's, else its source's.",
        tables=(Table(("licence", "class", "rows"), rows),),
        figures=(figure,) if figure else (),
    )


def provenance_section(
    sources: Sequence[CardSource], merkle_root: str, entries: Sequence[LedgerEntry] = ()
) -> Section:
    """Where the rows came from, and the root that proves it."""
    rows = tuple(
        (
            source.path,
            str(source.rows),
            ", ".join(source.licenses) or "none stated",
            source.owner,
            str(source.collected_at or "not stated"),
            source.synthetic_by or "not stated",
            source.sha256 or "not stated",
        )
        for source in sources
    )
    header = ("source", "rows", "licences", "owner", "collected", "written by", "sha256")
    changed = [entry for entry in entries if entry.changes]
    proof = (
        f"The RFC 6962 Merkle root of the ledger is {merkle_root}."
        if merkle_root
        else "There is no ledger: these rows are in no run."
    )
    return Section(
        "provenance",
        "Provenance",
        proof,
        tables=(Table(header, rows),),
        entries=tuple(map(_changed, changed[:_MOST_ENTRIES])),
        entries_left_out=max(0, len(changed) - _MOST_ENTRIES),
    )


def _problem(problem: Problem) -> Entry:
    has_row = problem.row is not None and problem.file
    row = RowRef(file=problem.file, row=problem.row or 0, id="") if has_row else None
    return Entry(f"{problem.level}: {problem.line()}", row, problem.level)


def _changed(entry: LedgerEntry) -> Entry:
    steps = ", ".join(entry.changes)
    row = RowRef(file=entry.file, row=entry.row, id=entry.id)
    return Entry(f"{entry.file}:{entry.row} was changed: {steps}", row)
