"""`runs` and `verify`: what is in the run folders, and whether it is what the manifests say."""

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from finewright import trust
from finewright.data.provenance.verify import verify_chain
from finewright.data.source import source_path
from finewright.errors import FetchError, FinewrightError
from finewright.evaluate.own import changed_metrics
from finewright.evaluate.recount import recount_folder
from finewright.feature import feature_stages
from finewright.place import PIN, bring, is_address
from finewright.plugins import load
from finewright.schema.common import Problem
from finewright.schema.data import DataReport
from finewright.schema.differential_privacy import PrivacySpent
from finewright.schema.evaluate import TUNED, EvaluateReport, Score
from finewright.schema.lock import Lock
from finewright.schema.report import (
    EarlierMeasurement,
    RunGroup,
    RunList,
    RunReport,
    RunSummary,
    Signer,
    VerifyReport,
)
from finewright.schema.train import TrainReport
from finewright.store import events, manifest, runs
from finewright.store.atomic import read_json
from finewright.store.measurements import StoredMeasurement, list_measurements
from finewright.store.rundir import RunDir, open_run
from finewright.store.signing import own_key
from finewright.store.speclock import lock_of
from finewright.workbench.lineage import check_parents
from finewright.workbench.stages import stages


def list_runs(runs_root: Path) -> RunList:
    """Every run under the folder, oldest first, and those of each bake-off, search and experiment in it; one
    that cannot be read says so in its state."""
    return RunList(runs=_summaries(runs_root), groups=tuple(map(_group, runs.groups(runs_root))))


def _summaries(folder: Path) -> tuple[RunSummary, ...]:
    return tuple(_safe_summary(run) for run in runs.list_runs(folder))


def _group(folder: Path) -> RunGroup:
    report = next((p for p in (folder / "report.html", folder / "report.json") if p.is_file()), "")
    return RunGroup(folder=str(folder), report=str(report), runs=_summaries(folder / "runs"))


def show(path: Path, *, ran: tuple[str, ...] = ()) -> RunReport:
    """One run with what its finished stages reported."""
    run = open_run(path)
    summary = summarise(run)
    done = set(summary.stages)
    return RunReport(
        summary=summary,
        ran=ran,
        data=run.read_report("data", DataReport) if "data" in done else None,
        train=run.read_report("train", TrainReport) if "train" in done else None,
        evaluate=run.read_report("evaluate", EvaluateReport) if "evaluate" in done else None,
        earlier=tuple(_earlier(run, kept) for kept in list_measurements(run)),
        **{
            name: run.read_report(name, load(stage.report))
            for name, stage in feature_stages().items()
            if name in done
        },
    )


def _earlier(run: RunDir, kept: StoredMeasurement) -> EarlierMeasurement:
    hint = "restore it from a copy; `finewright verify` names all that is missing"
    return EarlierMeasurement(
        path=kept.path,
        finished=kept.finished.finished.isoformat(timespec="seconds"),
        report=read_json(run.root / kept.path / "report.json", EvaluateReport, hint=hint),
    )


def verify(path: Path) -> VerifyReport:
    """Recompute every digest of a run, follow each row from its raw file to the ledger's root, count every
    score once more from the recorded answers, and say whose key signed what."""
    run = open_run(path)
    record, lock = manifest.read_manifest(run), lock_of(run)
    root = Path(lock.root)
    problems = manifest.verify(run)
    if "data" in record.stages:
        problems += verify_chain(run, lambda name: _find_raw(name, lock))
    problems += check_parents(run)
    scores = 0
    measured = [n for n in _measurements(record) if (run.root / n / "report.json").is_file()]
    for folder in measured:
        place = run if folder == "evaluate" else RunDir(run.root / folder)
        found = recount_folder(run.root / folder, lock_of(place).spec.evaluate)
        problems += [p.model_copy(update={"file": f"{folder}/{p.file}"}) for p in found.problems]
        problems += changed_metrics(lock_of(place).spec.evaluate, root)
        scores += found.scores
    problems += (_without_report(name) for name in _measurements(record) if name not in measured)
    trained = run.read_report("train", TrainReport).candidates if "train" in record.stages else ()
    spent = [each.privacy for each in trained if each.privacy]
    problems += [p for each in spent for p in _contradictions(each)]
    signers = tuple(_signers(record))
    return VerifyReport(
        run=str(path),
        files=len(record.artifacts),
        problems=(*problems, *filter(None, map(_report_unproved, signers))),
        privacy=tuple(each.spent_line() for each in spent),
        signers=signers,
        scores=scores,
    )


def _find_raw(file: str, lock: Lock) -> Path:
    """Where a file of the ledger lies; of a source elsewhere, what the run was begun with."""
    for number, source in enumerate(lock.spec.data.sources):
        if is_address(source.path) and file.startswith(source.path):
            address = (
                source.path.partition(PIN)[0] + PIN + lock.inputs[f"data.sources.{number}.path"]
            )
            try:
                return bring(address) / file.removeprefix(source.path).lstrip("/")
            except FetchError:
                break
    return source_path(file, lambda path: Path(lock.root) / path)


def _contradictions(spent: PrivacySpent) -> list[Problem]:
    from finewright.train.privacy.planned import contradictions  # computes with numpy

    return contradictions(spent)


def _measurements(record: manifest.Manifest) -> list[str]:
    """The folders of measurements that the manifest says are finished."""
    stages = record.stages
    return [name for name in stages if name == "evaluate" or name.startswith("measurements/")]


def _without_report(folder: str) -> Problem:
    return Problem(
        level="error",
        file=f"{folder}/report.json",
        message="was measured, and its report is not there",
        hint="ask whoever made the run, or run the stage again",
    )


def _report_unproved(signer: Signer) -> Problem | None:
    """What a key that says nothing to this user leaves open."""
    parts = ", ".join(signer.parts)
    if signer.whose == "unsigned":
        return Problem(
            level="warning",
            file="manifest.json",
            message=f"nobody signed {parts}: whoever had the folder may have changed it, digests and all",
            hint="a run of an earlier version has no signatures; otherwise ask its owner",
        )
    if signer.whose == "unknown":
        return Problem(
            level="warning",
            file="manifest.json",
            message=f"{parts}: signed by a key that is unknown here, {signer.key}",
            hint=f"ask whose it is, by another way, then: finewright trust key {signer.key} NAME",
        )
    return None


def _signers(record: manifest.Manifest) -> Iterator[Signer]:
    own, known = own_key(), {t.value: t.what for t in trust.read_trusted() if t.kind == "key"}
    for key, parts in manifest.signers(record).items():
        whose: Literal["own", "known", "unknown", "unsigned"] = "unknown"
        if not key:
            whose = "unsigned"
        elif key == own:
            whose = "own"
        elif key in known:
            whose = "known"
        yield Signer(key=key, whose=whose, name=known.get(key, ""), parts=tuple(parts))


def summarise(run: RunDir) -> RunSummary:
    """A run in one line."""
    record = manifest.read_manifest(run)
    lock = lock_of(run)
    return RunSummary(
        run=str(run.root),
        name=lock.spec.name,
        state=events.state(run),
        created=record.created.isoformat(timespec="seconds"),
        stages=tuple(stage.name for stage in stages() if stage.name in record.stages),
        base_models=lock.spec.base_models,
        scores=_headline(run) if "evaluate" in record.stages else (),
        parents=tuple(parent.run for parent in record.parents or ()),
    )


def _headline(run: RunDir) -> tuple[Score, ...]:
    """Of the first set, by its first metric, what the tuned models reach."""
    scores = run.read_report("evaluate", EvaluateReport).scores
    of_tuned = [score for score in scores if score.system.split(" ")[-1] == TUNED]
    first = {(score.data, score.metric) for score in of_tuned[:1]}
    return tuple(score for score in of_tuned if (score.data, score.metric) in first)


def _safe_summary(run: RunDir) -> RunSummary:
    try:
        return summarise(run)
    except (FinewrightError, ValueError) as error:
        return RunSummary(
            run=str(run.root),
            name=run.root.name,
            state=f"unreadable: {str(error).splitlines()[0]}",
            created="",
            stages=(),
            base_models=(),
        )
