"""What a page about data is about: the rows of a file or a run, and what is known of them."""

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from finewright.data.duplicates import find
from finewright.data.privacy import apply
from finewright.data.provenance.ledger import LEDGER, read_entries, read_leaves
from finewright.data.provenance.policy import StatedLicence, by_licence, file_licence, licence_of
from finewright.data.quality.figures import ref
from finewright.data.row_warnings import RowWarnings
from finewright.features.data.rows import problems_of, usable_rows
from finewright.guard.privacy.pseudonyms import key_of
from finewright.rows.fates import ReadOptions, RowFate
from finewright.rows.texts import passages
from finewright.schema.common import Problem, RowCounts
from finewright.schema.data import DataReport
from finewright.schema.data_check import RowRef
from finewright.schema.duplicates import DuplicatesReport, DuplicatesSpec
from finewright.schema.poison import PoisonReport
from finewright.schema.privacy import PersonalDataSpec, PrivacyReport, SecretsSpec
from finewright.schema.provenance import LedgerEntry, LicensePolicy
from finewright.schema.rows import Row, parse_rows
from finewright.store.atomic import os_errors, read_json
from finewright.store.rundir import RunDir

_MOST_NAMED = 50
_MOST_REFUSED = 200
_AGAIN = "run the stage 'data' again"


@dataclass(frozen=True, slots=True)
class DataSubject:
    """The usable rows, and what was found of them; a report is None where nobody looked.

    `refused` are rows that are not usable, by their reason, and `refused_texts` what they say."""

    name: str
    rows: tuple[Row, ...]
    counts: RowCounts
    problems: tuple[Problem, ...]
    refused: Mapping[str, Sequence[RowRef]] = field(default_factory=dict)
    refused_texts: Mapping[tuple[str, int], str] = field(default_factory=dict)
    duplicates: DuplicatesReport | None = None
    privacy: PrivacyReport | None = None
    poison: PoisonReport | None = None
    licenses: Mapping[tuple[str, int], str] = field(default_factory=dict)
    """(file, row) -> licence as stated; of rows that are in no ledger."""
    entries: tuple[LedgerEntry, ...] = ()
    merkle_root: str = ""

    def behind(self) -> Mapping[str, Sequence[RowRef]]:
        """Fate -> the first rows that met it."""
        kept = [ref(row) for row in self.rows[:_MOST_NAMED]]
        return {
            "kept": kept,
            **{reason: refs[:_MOST_NAMED] for reason, refs in self.refused.items()},
        }


def subject_of_file(path: Path, options: ReadOptions) -> DataSubject:
    """A data file or folder, looked at now. DataError where not one row can be used."""
    refused, warnings = _Refused(), RowWarnings()
    read = usable_rows(path, options, refused.add)
    warnings.add(read.rows)
    duplicates = find(read.rows, DuplicatesSpec()).report
    privacy = apply(read.rows, PersonalDataSpec(), SecretsSpec(), key_of(None)).report
    stated = _read_stated_licences(read.rows)
    licences = by_licence(read.rows, lambda row: stated[row.file, row.row], LicensePolicy())
    problems = (
        *problems_of(path, read.tally),
        *warnings.problems(),
        *licences.problems,
        *duplicates.problems,
        *privacy.problems,
    )
    return DataSubject(
        name=path.name or path.resolve().name,
        rows=tuple(read.rows),
        counts=read.tally.counts(),
        problems=tuple(dict.fromkeys(problems)),
        refused=refused.by_reason,
        refused_texts=refused.texts,
        duplicates=duplicates,
        privacy=privacy,
        licenses={place: said.license for place, said in stated.items()},
    )


def subject_of_run(run: RunDir) -> DataSubject:
    """The rows of a run that train and those held out, as its data stage left them."""
    report = run.read_report("data", DataReport)
    folder = run.root / "data"
    privacy = folder / "personal_data.json"
    rejected = list(_lines(folder / "rejected.jsonl"))
    refused = defaultdict(list)
    for item in rejected:
        refused[str(item["reason"])].append(_ref(item["file"], item["row"]))
    ledger = folder / LEDGER
    return DataSubject(
        name=run.root.name,
        rows=tuple(_read_run_rows(folder)),
        counts=report.counts,
        problems=report.problems,
        refused=refused,
        refused_texts={(item["file"], item["row"]): _describe_rejected(item) for item in rejected},
        duplicates=report.duplicates,
        privacy=read_json(privacy, PrivacyReport, hint=_AGAIN) if privacy.is_file() else None,
        poison=report.poison,
        entries=tuple(read_entries(read_leaves(ledger))) if ledger.is_file() else (),
        merkle_root=report.ledger.merkle_root if report.ledger else "",
    )


class Texts:
    """What a row says: by its id, else by where it was read."""

    def __init__(self, subject: DataSubject) -> None:
        self._by_id = {row.id: row for row in subject.rows}
        self._by_place = {(row.file, row.row): row for row in reversed(subject.rows)}
        self._refused = subject.refused_texts

    def __call__(self, ref: RowRef) -> str:
        """The row's texts, each after who says it."""
        row = self._by_id.get(ref.id) or self._by_place.get((ref.file, ref.row))
        if row is not None:
            return _says(row)
        return self._refused.get((ref.file, ref.row), "(this row is not kept in a form to show)")


def _read_stated_licences(rows: Sequence[Row]) -> dict[tuple[str, int], StatedLicence]:
    heads = {file: file_licence(Path(file)) for file in {row.file for row in rows}}
    return {(row.file, row.row): licence_of(row, "", heads[row.file]) for row in rows}


@dataclass(slots=True)
class _Refused:
    """The first unusable rows of each reason, and what they say; of one that cannot be read, why."""

    by_reason: dict[str, list[RowRef]] = field(default_factory=dict)
    texts: dict[tuple[str, int], str] = field(default_factory=dict)

    def add(self, fate: RowFate) -> None:
        """Keep it if it is unusable and among the first."""
        if not fate.dropped:
            return
        refs = self.by_reason.setdefault(fate.reason, [])
        if len(refs) < _MOST_REFUSED:
            refs.append(_ref(fate.file, fate.row))
            read = fate.as_it_stands()
            says = json.dumps(read["data"], ensure_ascii=False) if "data" in read else ""
            self.texts[fate.file, fate.row] = says or fate.problems[0].message


def _read_run_rows(folder: Path) -> Iterator[Row]:
    for name in ("train.jsonl", "eval.jsonl"):
        path = folder / name
        if path.is_file():
            with os_errors(path):
                yield from parse_rows(path.read_text(encoding="utf-8"))


def _lines(path: Path) -> Iterator[dict[str, Any]]:  # Any: a refused row as the stage writes it
    if path.is_file():
        with os_errors(path):
            lines = path.read_text(encoding="utf-8").split("\n")
        yield from (json.loads(line) for line in lines if line)


def _describe_rejected(item: dict[str, Any]) -> str:  # Any: as above
    why = f"{item['reason']}: {item['why']}"
    return f"{why}\n{_says(Row.from_json(item['says']))}" if "says" in item else why


def _says(row: Row) -> str:
    return "\n".join(
        f"{said.key if said.role == 'column' else said.role}: {said.text}" for said in passages(row)
    )


def _ref(file: str, row: int) -> RowRef:
    return RowRef(file=file, row=row, id="")
