"""Where rows came from: a trace, what is left without a source, and the data card."""

from collections.abc import Iterable, Mapping, Sequence

from finewright.report.blocks import Block, Page, Section, Table, Text
from finewright.schema.provenance import (
    NOT_STATED,
    CardLicence,
    CardSource,
    DataCard,
    DataPageReport,
    LedgerEntry,
    TraceReport,
    WithoutReport,
)

_MOST_IDS = 10


def trace_page(report: TraceReport) -> Page:
    """Every fact of each entry, and the root that proves them."""
    return Page(
        subject="a row",
        title="root of the ledger",
        answer=report.merkle_root,
        sections=[Section("", [_entry(entry)]) for entry in report.entries],
    )


def without_page(report: WithoutReport) -> Page:
    """What is left of a run's rows without a source."""
    left = len(report.train)
    ids = " ".join(report.train[:_MOST_IDS])
    more = f" and {left - _MOST_IDS} more; all of them with --json" if left > _MOST_IDS else ""
    return Page(
        subject="rows",
        title=f"{report.run} without {report.source}",
        answer=f"{report.rows_removed} rows go, {left} train, {len(report.eval)} held out",
        about=[
            f"train on: {ids}{more}" if left else "no row is left to train on",
            *(
                f"it builds on {run}, which learned {rows} such rows: train that one again first"
                for run, rows in report.ancestors.items()
            ),
        ],
    )


def data_page_page(report: DataPageReport) -> Page:
    """Where the page lies, and what it has."""
    sections = ", ".join(report.sections)
    answer = f"{report.rows} rows of {report.about}; {sections}"
    return Page("data", report.path, answer, problems=report.problems)


def card_page(card: DataCard) -> Page:
    """The card by the headings of a datasheet."""
    first, last = card.collected
    when = f"Collected from {first} to {last}." if first else f"Day of collection: {NOT_STATED}."
    synthetic = f"{card.synthetic_rows} rows are stated to be written by a model or program."
    changed = [f"{step}: {count} rows changed" for step, count in card.changes.items()]
    limits = "\n".join(card.known_limits)
    parts: dict[str, list[Block]] = {
        "Motivation": [Text(card.motivation)],
        "Composition": [_composition(card)],
        "Collection": [Text(f"{when} {synthetic}"), sources_table(card.sources)],
        "Licences": [licences_table(card.licenses)],
        "Preprocessing": [Text("\n".join(changed) or "No row was changed.")],
        "Personal data": [
            Text(_describe_search(card.personal_data, "personal data")),
            Text(_describe_search(card.secrets, "secrets")),
        ],
        "Uses": [Text(card.intended_use)],
        "Known limits": [Text(limits or "none was found by the checks that ran")],
        "Distribution": [Text(NOT_STATED)],
        "Maintenance": [Text(NOT_STATED)],
        "Proof": [
            Text(
                "Each row is a line of ledger.jsonl, with its raw file's sha256; the RFC 6962 Merkle root of"
                f" the lines is {card.merkle_root}. Made by finewright {card.finewright}."
            )
        ],
    }
    return Page(
        subject="data",
        title=card.name,
        about=[
            "A datasheet after Gebru et al. 2021. It says what was told and measured; the rest is"
            f" {NOT_STATED}."
        ],
        sections=[Section(title, blocks) for title, blocks in parts.items()],
    )


def sources_table(sources: Iterable[CardSource]) -> Table:
    """Each file with its licences, owner, day and digest."""
    rows = [
        (
            source.path,
            str(source.rows),
            ", ".join(source.licenses) or "none stated",
            source.owner if source.owner != "unknown" else NOT_STATED,
            str(source.collected_at or NOT_STATED),
            source.synthetic_by or NOT_STATED,
            source.sha256 or NOT_STATED,
        )
        for source in sources
    ]
    header = ("source", "rows", "licences", "owner", "collected", "written by", "sha256")
    return Table(header, rows)


def licences_table(licences: Sequence[CardLicence]) -> Table:
    """Each licence with its class and its rows."""
    rows = [
        (each.license or "none stated", ", ".join(each.classes), str(each.rows))
        for each in licences
    ]
    return Table(("licence", "class", "rows"), rows)


def _entry(entry: LedgerEntry) -> Table:
    before = f" (was {entry.id_before})"
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
        "changed": ", ".join(entry.changes) + before if entry.changes else "no",
    }
    return Table(("fact", "value"), list(facts.items()))


def _composition(card: DataCard) -> Text:
    parts = {
        "Rows": card.counts,
        "Splits": card.splits,
        "Types": card.types,
        "Languages (of the answers)": card.languages,
        "Duplicates": card.duplicates,
    }
    found = [f"{name}: {_counts(counts)}" for name, counts in parts.items()]
    tokens = "not measured" if card.tokens is None else f"{card.tokens:,}"
    return Text("\n".join([*found, f"Tokens: {tokens}"]))


def _describe_search(found: Mapping[str, int] | None, what: str) -> str:
    if found is None:
        return f"Nobody looked for {what}."
    return f"Found of {what}: {_counts(found)}."


def _counts(counts: Mapping[str, int] | None) -> str:
    if counts is None:
        return "not measured"
    return ", ".join(f"{count} {name}" for name, count in counts.items()) or "none"
