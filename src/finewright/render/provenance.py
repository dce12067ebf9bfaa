"""Where rows came from, for a terminal, and the data card as Markdown."""

import re
from collections.abc import Iterable, Mapping, Sequence

from finewright.render.reports import text_of
from finewright.render.text import table
from finewright.schema.provenance import (
    NOT_STATED,
    CardSource,
    DataCard,
    DataPageReport,
    LedgerEntry,
    TraceReport,
    WithoutReport,
)

_MARKS = re.compile(r"([\\`*_{}\[\]<>#|!~])")
_MOST_IDS = 10


@text_of.register
def _(report: TraceReport) -> str:
    parts = [_entry(entry) for entry in report.entries]
    return "\n\n".join([*parts, f"root of the ledger: {report.merkle_root}"])


@text_of.register
def _(report: WithoutReport) -> str:
    left = len(report.train)
    ids = " ".join(report.train[:_MOST_IDS])
    more = f" and {left - _MOST_IDS} more; all of them with --json" if left > _MOST_IDS else ""
    return (
        f"{report.run} without {report.source}: {report.rows_removed} rows go, "
        f"{left} train, {len(report.eval)} held out\ntrain on: {ids}{more}"
    )


@text_of.register
def _(report: DataCard) -> str:
    return card_markdown(report)


@text_of.register
def _(report: DataPageReport) -> str:
    sections = ", ".join(report.sections)
    lines = [f"{problem.level}: {problem.line()}" for problem in report.problems]
    return "\n".join([*lines, f"{report.path}: {report.rows} rows of {report.about}; {sections}"])


def card_markdown(card: DataCard) -> str:
    """The card by the headings of a datasheet; text of others cannot become markup."""
    parts = [
        f"# {_plain(card.name)}",
        "*A datasheet after Gebru et al. 2021. It says what was told and measured; the rest is "
        f"{NOT_STATED}.*",
        "## Motivation\n\n" + _plain(card.motivation),
        "## Composition\n\n" + _composition(card),
        "## Collection\n\n" + _collection(card),
        "## Licences\n\n" + _licences(card),
        "## Preprocessing\n\n" + _preprocessing(card),
        "## Personal data\n\n"
        + _looked_for(card.personal_data, "personal data")
        + "\n\n"
        + _looked_for(card.secrets, "secrets"),
        "## Uses\n\n" + _plain(card.intended_use),
        "## Known limits\n\n"
        + _list(map(_plain, card.known_limits), "none was found by the checks that ran"),
        f"## Distribution\n\n{NOT_STATED}",
        f"## Maintenance\n\n{NOT_STATED}",
        "## Proof\n\nEach row is a line of `ledger.jsonl`, with its raw file's sha256; the RFC 6962 "
        f"Merkle root of the lines is `{card.merkle_root}`. Made by finewright {card.finewright}.",
    ]
    return "\n\n".join(parts) + "\n"


def _entry(entry: LedgerEntry) -> str:
    facts = {
        "row": f"{entry.split}:{entry.position} ({entry.id})",
        "read from": f"{entry.file}:{entry.row}",
        "sha256 of the file": entry.file_sha256 or NOT_STATED,
        "sha256 of the record": entry.record_sha256,
        "its own source": entry.origin or NOT_STATED,
        "licence": f"{entry.license} (said by the {entry.license_from})",
        "owner": entry.owner,
        "collected": str(entry.collected_at or NOT_STATED),
        "written by": entry.synthetic_by or NOT_STATED,
        "imported by": entry.importer,
        "changed": ", ".join(entry.changes) + f" (was {entry.id_before})"
        if entry.changes
        else "no",
    }
    return table(["fact", "value"], [[name, value] for name, value in facts.items()])


def _composition(card: DataCard) -> str:
    parts = {
        "Rows": card.counts,
        "Splits": card.splits,
        "Types": card.types,
        "Languages (of the answers)": card.languages,
        "Duplicates": card.duplicates,
    }
    lines = [f"{name}: {_counts(counts)}" for name, counts in parts.items()]
    tokens = "not measured" if card.tokens is None else f"{card.tokens:,}"
    return _list([*lines, f"Tokens: {tokens}"], NOT_STATED)


def _collection(card: DataCard) -> str:
    first, last = card.collected
    when = f"Collected from {first} to {last}." if first else f"Day of collection: {NOT_STATED}."
    header = ["source", "rows", "licences", "owner", "collected", "written by", "sha256"]
    rows = [_source(source) for source in card.sources]
    synthetic = f"{card.synthetic_rows} rows are stated to be written by a model or program."
    return f"{when} {synthetic}\n\n{_table(header, rows)}"


def _source(source: CardSource) -> list[str]:
    return [
        source.path,
        str(source.rows),
        ", ".join(source.licenses),
        source.owner if source.owner != "unknown" else NOT_STATED,
        str(source.collected_at or NOT_STATED),
        source.synthetic_by or NOT_STATED,
        source.sha256 or NOT_STATED,
    ]


def _licences(card: DataCard) -> str:
    rows = [
        [licence.license or "none", ", ".join(licence.classes), str(licence.rows)]
        for licence in card.licenses
    ]
    return _table(["licence", "class", "rows"], rows)


def _preprocessing(card: DataCard) -> str:
    changed = (f"{step}: {count} rows changed" for step, count in card.changes.items())
    return _list(map(_plain, changed), "No row was changed.")


def _looked_for(found: Mapping[str, int] | None, what: str) -> str:
    if found is None:
        return f"Nobody looked for {what}."
    return f"Found of {what}: {_counts(found)}."


def _counts(counts: Mapping[str, int] | None) -> str:
    if counts is None:
        return "not measured"
    told = (f"{count} {_plain(name)}" for name, count in counts.items())
    return ", ".join(told) or "none"


def _list(lines: Iterable[str], otherwise: str) -> str:
    return "\n".join(f"- {' '.join(line.split())}" for line in lines) or otherwise


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *([_plain(cell) for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _plain(text: str) -> str:
    """The text on one line, with nothing in it that Markdown reads."""
    return _MARKS.sub(r"\\\1", " ".join(text.split()))
