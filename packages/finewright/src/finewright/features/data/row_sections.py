"""The page about a data set: figures whose bars lead to their rows, and what the checks found.

`says` is what a row says, with everything masked that must be; it is cut here."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence

from finewright.report.blocks import Block, Fold, Page, Plot, Point, Quote, Section, Table, Text
from finewright.report.cells import count_of
from finewright.report.of_provenance import licences_table, sources_table
from finewright.report.text import cut, problem_line
from finewright.schema.common import Problem, RowCounts
from finewright.schema.data_check import Bar, Figure, QualityReport, RowRef
from finewright.schema.duplicates import DuplicatesReport, likeness
from finewright.schema.poison import PoisonFinding, PoisonReport
from finewright.schema.privacy import PrivacyReport
from finewright.schema.provenance import CardLicence, CardSource, LedgerEntry

Says = Callable[[RowRef], str]
_MOST_ROWS = 20
_MOST_PROBLEMS = 100
_MOST_ENTRIES = 50
_LONGEST_TEXT = 400
_LONGEST_LABEL = 200


def rows_page(title: str, about: str, sections: Sequence[Section], notice: str = "") -> Page:
    """The whole page."""
    return Page("data", title, about=[about], sections=sections, notice=notice)


def not_looked_for(title: str, why: str = "Nobody looked for these.") -> Section:
    """A section that says that there is nothing to say."""
    return Section(title, [Text(why)])


def counts_section(counts: RowCounts, rows: Mapping[str, Sequence[RowRef]], says: Says) -> Section:
    """What became of the rows that were read; `rows` are those of `kept`, or of a reason, where known."""
    kept, cut_rows = counts.rows_kept, counts.rows_truncated
    whole = Bar(label="kept whole", count=kept - cut_rows, rows=tuple(rows.get("kept", ())))
    parts = [Bar(label="truncated", count=cut_rows, is_notable=True)] if cut_rows else []
    parts += [
        Bar(label=f"dropped: {why}", count=n, rows=tuple(rows.get(why, ())), is_notable=True)
        for why, n in counts.rows_dropped.items()
    ]
    about = "Every row that was read is one of these."
    figure = _of_bars("What became of the rows", about, counts.rows_in, [whole, *parts])
    read = f"{counts.rows_in} read = {kept - cut_rows} kept whole + {cut_rows} kept, truncated"
    total = f"{read} + {sum(counts.rows_dropped.values())} dropped."
    return Section("Counts", [Text(total), *_figure("counts", figure, says)])


def problems_section(problems: Sequence[Problem], says: Says) -> Section:
    """All problems, errors first, each with its row."""
    order = {"error": 0, "warning": 1, "info": 2}
    ordered = sorted(problems, key=lambda problem: order[problem.level])
    by_level = {level: sum(p.level == level for p in problems) for level in order}
    found = ", ".join(count_of(n, level) for level, n in by_level.items() if n)
    shown = [_problem(problem, says) for problem in ordered[:_MOST_PROBLEMS]]
    text = Text(f"{found}." if found else "None was found.")
    more = _left_out(len(ordered) - len(shown))
    blocks: list[Block] = [text, *shown, *more]
    return Section("Problems", blocks)


def quality_section(report: QualityReport, says: Says) -> Section:
    """Every figure with its picture and its rows."""
    figures = (block for f in report.figures for block in _figure("quality", f, says))
    problems = (_problem(problem, says) for problem in report.problems)
    intro = Text(f"{report.rows} rows. A bar is a link to its rows.")
    blocks: list[Block] = [intro, *figures, *problems]
    return Section("Quality", blocks)


def licences_section(licences: Sequence[CardLicence], figure: Figure, says: Says) -> Section:
    """The licences of the rows, and the rows of each."""
    intro = Text("By SPDX id; a licence is the row's own, else its file's, else its source's.")
    table = licences_table(licences)
    return Section("Licences", [intro, table, *_figure("licences", figure, says)])


def provenance_section(
    sources: Sequence[CardSource], merkle_root: str, entries: Sequence[LedgerEntry], says: Says
) -> Section:
    """Where the rows came from, and the root that proves it."""
    proof = "There is no ledger: these rows are in no run."
    if merkle_root:
        proof = f"The RFC 6962 Merkle root of the ledger is {merkle_root}."
    changed = [entry for entry in entries if entry.changes]
    shown = [_fold_of_change(entry, says) for entry in changed[:_MOST_ENTRIES]]
    more = _left_out(len(changed) - len(shown))
    blocks: list[Block] = [Text(proof), sources_table(sources), *shown, *more]
    return Section("Provenance", blocks)


def duplicates_section(report: DuplicatesReport, says: Says) -> Section:
    """Repeats by kind, each with the row that it repeats, and what is known from the training rows."""
    of_kind: dict[str, list[RowRef]] = defaultdict(list)
    for example in report.examples:
        of_kind[example.kind].append(_ref(example.file, example.row))
    bars = [
        Bar(label=kind, count=count, rows=tuple(of_kind[kind]))
        for kind, count in report.found.items()
    ]
    about = "Each row counts once, under the strictest kind."
    figure = _of_bars("Rows that repeat an earlier one", about, report.rows_in, bars)
    entries: list[Block] = [
        _fold_with_quote(
            f"{e.file}:{e.row} repeats {e.of_file}:{e.of_row} ({e.kind}, {likeness(e.similarity)})"
            f"{', dropped' if e.dropped else ''}",
            _ref(e.file, e.row),
            says,
        )
        for e in report.examples[:_MOST_ENTRIES]
    ]
    known = [
        (c.name, str(c.rows), kind, str(count))
        for c in report.contamination
        for kind, count in c.found.items()
    ]
    table = Table(("held-out set", "its rows", "known from training by", "rows"), known)
    intro = Text(f"{report.groups} groups, the largest of {report.largest_group} rows.")
    blocks: list[Block] = [intro, *([table] if known else []), *_figure("duplicates", figure, says)]
    more = _left_out(len(report.examples) - len(entries))
    return Section("Duplicates", [*blocks, *entries, *more])


def personal_section(report: PrivacyReport, says: Says) -> Section:
    """What was found by type, with its rows."""
    of_type: dict[str, dict[tuple[str, int], None]] = defaultdict(dict)
    for finding in report.findings:
        of_type[finding.type][finding.file, finding.row] = None
    bars = [
        Bar(label=kind, count=count.rows, is_notable=True,
            rows=tuple(_ref(*at) for at in list(of_type[kind])[:_MOST_ROWS]))
        for kind, count in report.found.items()
    ]  # fmt: skip
    about = "Rows by what was found in them; a row with two kinds counts for both."
    figure = _of_bars("Rows with personal data or secrets", about, report.counts.rows_in, bars)
    rows = [(kind, str(c.spans), str(c.values), str(c.rows)) for kind, c in report.found.items()]
    table = Table(("type", "found", "different values", "rows"), rows)
    intro = Text(
        f"Personal data: {report.personal_action}. Secrets: {report.secrets_action}. "
        "A mask such as [EMAIL] stands where a value was found."
    )
    blocks: list[Block] = [intro, *([table] if rows else []), *_figure("personal", figure, says)]
    return Section("Personal data", blocks)


def poison_section(report: PoisonReport, says: Says) -> Section:
    """Suspicions, the strongest first, each with the rows that it rests on."""
    weighed = f"weighed by {report.weighed_by}" if report.weighed_by else "not weighed by a model"
    shown = [_suspicion(i, finding) for i, finding in enumerate(report.findings[:_MOST_ENTRIES])]
    intro = Text(
        f"{report.rows_suspicious} of {report.rows_in} rows are suspicious; associations are {weighed}."
    )
    figures = (block for figure in shown for block in _figure("poison", figure, says))
    more = _left_out(len(report.findings) - len(shown))
    return Section("Poison", [intro, *figures, *more])


def _suspicion(number: int, finding: PoisonFinding) -> Figure:
    said = {"trigger": finding.trigger, "payload": finding.payload}
    parts = [f"{name}: {text}" for name, text in said.items() if text]
    refs = dict.fromkeys((row.file, row.row) for row in finding.evidence)
    bar = Bar(
        label="; ".join(parts) or finding.kind,
        count=finding.num_rows,
        rows=tuple(_ref(*at) for at in refs),
        is_notable=finding.level == "high",
    )
    title = f"{finding.kind.replace('_', ' ')} ({finding.level}, {finding.score:.2f})"
    return _of_bars(title, finding.reason, finding.num_rows, [bar], f"finding-{number}")


def _of_bars(title: str, about: str, rows: int, bars: Sequence[Bar], name: str = "rows") -> Figure:
    return Figure(name=name, title=title, about=about, kind="bars", rows=rows, bars=tuple(bars))


def _figure(section: str, figure: Figure, says: Says) -> Iterator[Block]:
    """The bars, and behind each its first rows."""
    if not figure.bars:
        yield Text(f"{figure.title}: none of {figure.rows} rows. {figure.about}", "soft")
        return
    links = [f"{section}-{figure.name}-{i}" if b.count else "" for i, b in enumerate(figure.bars)]
    points = [
        Point(bar.label, bar.count, is_main=not bar.is_notable, link=link)
        for bar, link in zip(figure.bars, links, strict=True)
    ]
    summary = "".join(
        f" {key.capitalize()}: {_format_figure(n)}." for key, n in figure.summary.items()
    )
    caption = f"{figure.about} Of {figure.rows} rows.{summary}"
    title = f"{figure.title}, {figure.rows} rows"
    yield Plot(title, "bars", points, caption, heading=figure.title)
    for bar, link in zip(figure.bars, links, strict=True):
        if link:
            yield _bar_rows(link, bar, says)


def _bar_rows(name: str, bar: Bar, says: Says) -> Fold:
    shown = bar.rows[:_MOST_ROWS]
    quotes = [_quote(ref, says) for ref in shown]
    title = f"{cut(bar.label, _LONGEST_LABEL)}: {count_of(bar.count, 'row')}"
    return Fold(title, [*quotes, *_left_out(bar.count - len(shown))], name)


def _format_figure(value: float) -> str:
    return f"{value:,.2f}".rstrip("0").rstrip(".")


def _problem(problem: Problem, says: Says) -> Block:
    if problem.row is None or not problem.file:
        return problem
    ref, is_error = _ref(problem.file, problem.row), problem.level == "error"
    return _fold_with_quote(problem_line(problem), ref, says, is_error=is_error)


def _fold_of_change(entry: LedgerEntry, says: Says) -> Fold:
    line = f"{entry.file}:{entry.row} was changed: {', '.join(entry.changes)}"
    return _fold_with_quote(line, RowRef(file=entry.file, row=entry.row, id=entry.id), says)


def _fold_with_quote(line: str, ref: RowRef, says: Says, *, is_error: bool = False) -> Fold:
    return Fold(line, [_quote(ref, says)], is_error=is_error)


def _quote(ref: RowRef, says: Says) -> Quote:
    return Quote(f"{ref.file}:{ref.row}", cut(says(ref), _LONGEST_TEXT))


def _left_out(number: int) -> list[Text]:
    return [Text(f"and {number} more, not shown here", "soft")] if number > 0 else []


def _ref(file: str, row: int) -> RowRef:
    return RowRef(file=file, row=row, id="")
