"""What was found of duplicates, personal data and planted behaviour, as sections of the page."""

from collections import defaultdict
from collections.abc import Sequence

from finewright.render.html.page import Entry, Section, Table
from finewright.schema.duplicates import DuplicatesReport
from finewright.schema.poison import PoisonFinding, PoisonReport
from finewright.schema.privacy import PrivacyReport
from finewright.schema.quality import Bar, Figure, RowRef

_MOST_ENTRIES = 50
_MOST_NAMED = 50


def not_looked_for(name: str, title: str, why: str = "Nobody looked for these.") -> Section:
    """A section that says that there is nothing to say."""
    return Section(name, title, why)


def duplicates_section(report: DuplicatesReport) -> Section:
    """Repeats by kind, each with the row that it repeats, and what is known from the training rows."""
    of_kind: dict[str, list[RowRef]] = defaultdict(list)
    for example in report.examples:
        of_kind[example.kind].append(_ref(example.file, example.row))
    figure = Figure(
        name="kinds",
        title="Rows that repeat an earlier one",
        about="Each row counts once, under the strictest kind.",
        kind="bars",
        rows=report.rows_in,
        bars=tuple(
            Bar(label=kind, count=count, rows=tuple(of_kind[kind]))
            for kind, count in report.found.items()
        ),
    )
    entries = [
        Entry(
            f"{e.file}:{e.row} repeats {e.of_file}:{e.of_row} ({e.kind}, {e.similarity:.2f})"
            f"{', dropped' if e.dropped else ''}",
            _ref(e.file, e.row),
        )
        for e in report.examples
    ]
    leaked = tuple(
        (c.name, str(c.rows), kind, str(count))
        for c in report.contamination
        for kind, count in c.found.items()
    )
    header = ("held-out set", "its rows", "known from training by", "rows")
    intro = f"{report.groups} groups, the largest of {report.largest_group} rows."
    return Section(
        "duplicates",
        "Duplicates",
        intro,
        tables=(Table(header, leaked),) if leaked else (),
        figures=(figure,),
        entries=tuple(entries[:_MOST_ENTRIES]),
        entries_left_out=max(0, len(entries) - _MOST_ENTRIES),
    )


def personal_section(report: PrivacyReport) -> Section:
    """What was found by type, with its rows."""
    of_type: dict[str, dict[tuple[str, int], None]] = defaultdict(dict)
    for finding in report.findings:
        of_type[finding.type][finding.file, finding.row] = None
    figure = Figure(
        name="types",
        title="Rows with personal data or secrets",
        about="Rows by what was found in them; a row with two kinds counts for both.",
        kind="bars",
        rows=report.counts.rows_in,
        bars=tuple(
            Bar(
                label=kind,
                count=count.rows,
                rows=tuple(_ref(*place) for place in list(of_type[kind])[:_MOST_NAMED]),
                is_notable=True,
            )
            for kind, count in report.found.items()
        ),
    )
    rows = tuple(
        (kind, str(c.spans), str(c.values), str(c.rows)) for kind, c in report.found.items()
    )
    table = Table(("type", "found", "different values", "rows"), rows)
    intro = (
        f"Personal data: {report.personal_action}. Secrets: {report.secrets_action}. "
        "A mask such as [EMAIL] stands where a value was found."
    )
    return Section("personal", "Personal data", intro, (table,) if rows else (), (figure,))


def poison_section(report: PoisonReport) -> Section:
    """Suspicions, the strongest first, each with the rows that it rests on."""
    figures = tuple(_suspicion(i, finding) for i, finding in enumerate(report.findings))
    weighed = f"weighed by {report.weighed_by}" if report.weighed_by else "not weighed by a model"
    intro = (
        f"{report.rows_suspicious} of {report.rows_in} rows are suspicious; "
        f"associations are {weighed}."
    )
    return Section(
        "poison",
        "Poison",
        intro,
        figures=figures[:_MOST_ENTRIES],
        entries_left_out=max(0, len(figures) - _MOST_ENTRIES),
    )


def _suspicion(number: int, finding: PoisonFinding) -> Figure:
    told = {"trigger": finding.trigger, "payload": finding.payload}
    parts = [f"{name}: {text}" for name, text in told.items() if text]
    rows = _refs([(row.file, row.row) for row in finding.evidence])
    label = "; ".join(parts) or finding.kind
    bar = Bar(label=label, count=finding.num_rows, rows=rows, is_notable=finding.level == "high")
    return Figure(
        name=f"finding-{number}",
        title=f"{finding.kind.replace('_', ' ')} ({finding.level}, {finding.score:.2f})",
        about=finding.reason,
        kind="bars",
        rows=finding.num_rows,
        bars=(bar,),
    )


def _refs(places: Sequence[tuple[str, int]]) -> tuple[RowRef, ...]:
    return tuple(_ref(*place) for place in dict.fromkeys(places))


def _ref(file: str, row: int) -> RowRef:
    return RowRef(file=file, row=row, id="")
