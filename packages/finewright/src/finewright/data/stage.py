"""The data stage: put the rows that train, those that measure, and the record of both into the run."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from finewright.data.canaries import FILE, summarise
from finewright.data.door import PoisonSearch
from finewright.data.gather import Gathered, gather
from finewright.data.measured import MeasuredRows, row_sets
from finewright.data.provenance.card import CardFigures, CardSubject, data_card, write_card
from finewright.data.provenance.ledger import LEDGER, write_ledger
from finewright.data.quality.measure import quality
from finewright.errors import Interrupted, MissingExtra
from finewright.guard.quality.languages import detector
from finewright.rows.notes import Dropped
from finewright.schema.common import Artifact
from finewright.schema.data import DataReport, PersonalSummary
from finewright.schema.data_check import QualityReport
from finewright.schema.privacy import PrivacyReport, SecretType
from finewright.schema.provenance import LedgerEntry, LedgerSummary
from finewright.schema.rows import Row, write_rows
from finewright.store.atomic import write_json, write_text
from finewright.store.manifest import describe
from finewright.store.parents import walk_parents
from finewright.store.rundir import RunDir
from finewright.store.stage import StageContext, StageResult, refuse

if TYPE_CHECKING:
    from finewright.data.poison import PoisonResult

# Rows that are refused before, or for, personal data and secrets must not be written once more.
_UNSPOKEN = {"personal_data", "secret", "license"}


def run(context: StageContext) -> StageResult:
    """Read, check and split; refuse when a row is wrong, naming every one of them."""
    spec = context.spec
    gathered = gather(spec.data, context.resolve, search=_search(context))
    sets = row_sets(spec, gathered, context.resolve, walk_parents(context.run))
    problems = (*gathered.problems, *(problem for item in sets for problem in item.problems))
    refuse(problems)
    folder = context.run.stage_dir("data")
    train, *others = _write_rows(context.run, folder, gathered, sets)
    held_out = others.pop(0) if gathered.eval else None
    records = list(_records(context.run, folder, gathered))
    entries = gathered.entries()
    ledger = write_ledger(folder, entries)
    card = list(_card(context, gathered, entries, ledger))
    report = DataReport(
        counts=gathered.counts,
        types=gathered.types,
        sources=gathered.sources,
        problems=problems,
        train=train,
        eval=held_out,
        rows_train=len(gathered.train),
        rows_eval=len(gathered.eval),
        ledger=ledger,
        duplicates=gathered.passed.duplicates,
        contamination=tuple(item.contamination for item in sets if item.contamination),
        draws=tuple(item.draw for item in sets if item.draw),
        personal_data=_summary(gathered.passed.privacy),
        poison=gathered.passed.poison,
        canaries=summarise(gathered.canaries) if gathered.canaries else None,
        mixture=gathered.shares,
        ancestors=tuple(item.ancestor for item in sets if item.ancestor),
    )
    of_ledger = describe(context.run, folder / LEDGER, "ledger")
    found = (train, *([held_out] if held_out else []), *others, of_ledger, *card, *records)
    return StageResult(report, found, tuple(source.sha256 for source in gathered.sources))


def _search(context: StageContext) -> PoisonSearch | None:
    spec = context.spec.data.poison
    if spec.action == "off":
        return None

    def tell(done: int, total: int) -> None:
        context.emit("weighing", done=done, total=total)
        if signal_number := context.should_stop():
            raise Interrupted("stopped while rows were read", signal_number=signal_number)

    def search(rows: Sequence[Row]) -> "PoisonResult":
        from finewright.data.base_surprisal import BaseSurprisal
        from finewright.data.poison import apply
        from finewright.lm.embedders.meaning import meaning

        weighed = BaseSurprisal(spec.base_model, context.root, tell) if spec.base_model else None
        return apply(rows, spec, weighed, meaning(spec.embedder, context.root))

    return search


def _write_rows(
    run: RunDir, folder: Path, gathered: Gathered, sets: Sequence[MeasuredRows]
) -> Iterator[Artifact]:
    yield _write(run, folder / "train.jsonl", gathered.train)
    if gathered.eval:
        yield _write(run, folder / "eval.jsonl", gathered.eval)
    (folder / "evaluate").mkdir(exist_ok=True)
    for other in (folder / "evaluate").glob("*.jsonl"):
        if other.stem not in {item.name for item in sets}:
            other.unlink()  # of a spec that named other files
    for item in sets:
        yield _write(run, folder / "evaluate" / f"{item.name}.jsonl", item.rows)


def _records(run: RunDir, folder: Path, gathered: Gathered) -> Iterator[Artifact]:
    """Which rows were refused and why, which canaries there are, and where personal data were found."""
    if gathered.passed.dropped:
        path = folder / "rejected.jsonl"
        lines = (
            json.dumps(_record_of_dropped(item), ensure_ascii=False)
            for item in gathered.passed.dropped
        )
        write_text(path, "".join(f"{line}\n" for line in lines))
        yield describe(run, path, "rejected")
    path = folder / FILE
    path.unlink(missing_ok=True)  # of a spec that asked for others
    if gathered.canaries:
        made = [each.model_dump(mode="json") for each in gathered.canaries]
        write_json(path, {"canaries": made})
        yield describe(run, path, "report")
    if gathered.passed.privacy:
        path = folder / "personal_data.json"
        write_json(path, gathered.passed.privacy.model_dump(mode="json"))
        # Its digests are made with a key that may be thrown away.
        yield describe(run, path, "report")


def _record_of_dropped(item: Dropped) -> dict[str, object]:
    where = {"file": item.row.file, "row": item.row.row, "id": item.row.id}
    line = {**where, "reason": item.reason, "why": item.why}
    return line if item.reason in _UNSPOKEN else {**line, "says": item.row.to_json()}


def _card(
    context: StageContext,
    gathered: Gathered,
    entries: Sequence[LedgerEntry],
    ledger: LedgerSummary,
) -> Iterator[Artifact]:
    passed = gathered.passed
    personal = _summary(passed.privacy)
    found = passed.duplicates.found if passed.duplicates else None
    measured = CardFigures(
        counts=gathered.counts,
        types={str(kind): n for kind, n in gathered.types.items()},
        quality=_quality((*gathered.train, *gathered.eval)),
        personal_data=personal.personal_data if personal else None,
        secrets=personal.secrets if personal else None,
        duplicates={str(kind): n for kind, n in found.items()} if found is not None else None,
        limits=_canary_limits(gathered),
    )
    card = data_card(CardSubject(context.spec.name), measured, entries, ledger)
    for path in write_card(context.run.stage_dir("data"), card):
        yield describe(context.run, path, "card")


def _canary_limits(gathered: Gathered) -> tuple[str, ...]:
    if not gathered.canaries:
        return ()
    return (summarise(gathered.canaries).line(len(gathered.train)),)


def _quality(rows: Sequence[Row]) -> QualityReport:
    try:
        return quality(rows, language_of=detector())
    except MissingExtra:
        return quality(rows)


def _summary(report: PrivacyReport | None) -> PersonalSummary | None:
    if report is None:
        return None
    spans = {kind: count.spans for kind, count in report.found.items()}
    secrets = frozenset(get_args(SecretType))
    return PersonalSummary(
        action=report.personal_action,
        secrets_action=report.secrets_action,
        rows_changed=report.rows_changed,
        personal_data={kind: n for kind, n in spans.items() if kind not in secrets},
        secrets={kind: n for kind, n in spans.items() if kind in secrets},
    )


def _write(run: RunDir, path: Path, rows: Sequence[Row]) -> Artifact:
    write_text(path, write_rows(rows))
    return describe(run, path, "rows")
