"""The card of a data set: what was told and measured, and nothing else.

The questions are those of "Datasheets for Datasets" (Gebru et al. 2021, arXiv:1803.09010), as far as a
ledger and checks can answer them; the EU AI Act asks the same of high-risk systems (Art. 10 and
Annex IV 2 (d)) and of the makers of general-purpose models (Annex XI 1). What nobody told stays
`not stated`: the card makes no claim of its own."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from finewright import __version__
from finewright.data.provenance.licences import classes_of
from finewright.report.markdown import as_markdown
from finewright.report.of_provenance import card_page
from finewright.schema.common import RowCounts
from finewright.schema.data_check import QualityReport
from finewright.schema.provenance import (
    NOT_STATED,
    CardLicence,
    CardSource,
    DataCard,
    LedgerEntry,
    LedgerSummary,
)
from finewright.store.atomic import write_json, write_text


@dataclass(frozen=True, slots=True)
class CardSubject:
    """What only people know of a data set; empty is `not stated`."""

    name: str
    motivation: str = ""
    intended_use: str = ""


@dataclass(frozen=True, slots=True)
class CardFigures:
    """What checks found. None: nobody looked, which is something else than finding nothing."""

    counts: RowCounts
    types: Mapping[str, int] = field(default_factory=dict)
    quality: QualityReport | None = None
    personal_data: Mapping[str, int] | None = None
    secrets: Mapping[str, int] | None = None
    duplicates: Mapping[str, int] | None = None
    limits: tuple[str, ...] = ()


def data_card(
    subject: CardSubject,
    measured: CardFigures,
    entries: Sequence[LedgerEntry],
    ledger: LedgerSummary,
) -> DataCard:
    """The card of the rows in a ledger."""
    days = sorted(entry.collected_at for entry in entries if entry.collected_at)
    counts = measured.counts
    return DataCard(
        name=subject.name,
        motivation=subject.motivation or NOT_STATED,
        intended_use=subject.intended_use or NOT_STATED,
        sources=_sources(entries),
        licenses=_licences(entries),
        counts={
            "read": counts.rows_in,
            "kept": counts.rows_kept,
            "truncated": counts.rows_truncated,
            **{f"dropped: {reason}": n for reason, n in counts.rows_dropped.items()},
        },
        splits=dict(Counter(entry.split for entry in entries)),
        types=dict(measured.types),
        languages=_languages(measured.quality),
        tokens=_tokens(measured.quality),
        collected=(days[0], days[-1]) if days else (None, None),
        synthetic_rows=sum(bool(entry.synthetic_by) for entry in entries),
        personal_data=_copy_counts(measured.personal_data),
        secrets=_copy_counts(measured.secrets),
        duplicates=_copy_counts(measured.duplicates),
        changes=dict(Counter(step for entry in entries for step in entry.changes)),
        known_limits=(
            *_list_unstated(entries),
            *_list_problems(measured.quality),
            *measured.limits,
        ),
        merkle_root=ledger.merkle_root,
        finewright=__version__,
    )


def write_card(folder: Path, card: DataCard) -> tuple[Path, Path]:
    """Put `card.json` and `card.md` into a folder; returns both paths."""
    as_json, as_text = folder / "card.json", folder / "card.md"
    write_json(as_json, card.model_dump(mode="json"))
    write_text(as_text, as_markdown(card_page(card)))
    return as_json, as_text


def _sources(entries: Sequence[LedgerEntry]) -> tuple[CardSource, ...]:
    by_file: dict[str, list[LedgerEntry]] = {}
    for entry in entries:
        by_file.setdefault(entry.file, []).append(entry)
    return tuple(
        CardSource(
            path=file,
            sha256=of_file[0].file_sha256,
            licenses=tuple(sorted({entry.license for entry in of_file})),
            owner=of_file[0].owner,
            collected_at=of_file[0].collected_at,
            synthetic_by=of_file[0].synthetic_by,
            rows=len(of_file),
        )
        for file, of_file in by_file.items()
    )


def _licences(entries: Sequence[LedgerEntry]) -> tuple[CardLicence, ...]:
    rows = Counter(entry.license for entry in entries)
    return tuple(
        CardLicence(license=name, classes=classes_of(name), rows=num_rows)
        for name, num_rows in rows.most_common()
    )


def _languages(quality: QualityReport | None) -> dict[str, int]:
    figure = quality.figure("languages") if quality else None
    return {bar.label: bar.count for bar in figure.bars} if figure else {}


def _tokens(quality: QualityReport | None) -> int | None:
    figure = quality.figure("tokens") if quality else None
    return round(figure.summary["mean"] * figure.rows) if figure and figure.summary else None


def _copy_counts(found: Mapping[str, int] | None) -> dict[str, int] | None:
    return None if found is None else dict(found)


def _list_unstated(entries: Sequence[LedgerEntry]) -> list[str]:
    missing = {
        "have no known licence": sum("unknown" in classes_of(entry.license) for entry in entries),
        "have no stated owner": sum(entry.owner == "unknown" for entry in entries),
        "have no stated day of collection": sum(entry.collected_at is None for entry in entries),
    }
    return [f"{n} of {len(entries)} rows {what}" for what, n in missing.items() if n]


def _list_problems(quality: QualityReport | None) -> list[str]:
    return [problem.line() for problem in quality.problems] if quality else []
