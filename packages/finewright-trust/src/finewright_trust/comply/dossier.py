"""The dossier of a run: what is known is gathered, judged, and written as one folder that appears whole."""

import os
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import yaml

from finewright.errors import StoreError
from finewright.report.html import as_html
from finewright.report.markdown import as_markdown
from finewright.run_reader import read_run
from finewright.schema.common import Artifact, Problem, errors_of, without
from finewright.schema.data import DataReport
from finewright.schema.lock import Lock
from finewright.schema.train import TrainReport, textless
from finewright.sdk import (
    DataError,
    Page,
    RunDir,
    SpecError,
    load_section,
    os_errors,
    write_json,
    write_text,
)
from finewright.store.atomic import replace_dir, sha256_file, write_bytes
from finewright.store.manifest import CARD, ManifestRow, describe, read_manifest, verify
from finewright_trust.comply.assess import judge
from finewright_trust.comply.compute import measure_compute
from finewright_trust.comply.controls import Regime, find_regimes
from finewright_trust.comply.documents import fill, forms
from finewright_trust.comply.energy import measure_energy
from finewright_trust.comply.evidence import KEPT, MOVING, Records, written_name
from finewright_trust.comply.law import Facts
from finewright_trust.comply.oscal import as_oscal
from finewright_trust.comply.page import comply_page, document_page
from finewright_trust.comply.pdf import as_pdf, missing_library
from finewright_trust.comply.report import ComplyReport, ComputeMeter, EnergyUse
from finewright_trust.comply.spec import ComplySpec, faults

STAGE = "comply"
ANSWERS = "comply.yaml"
PDF = "dossier.pdf"


@dataclass(frozen=True, slots=True)
class GivenAnswers:
    """What people say, and the folder that its files are relative to."""

    spec: ComplySpec
    root: Path


def read_answers(path: Path | None, lock: Lock) -> GivenAnswers:
    """From a file, or else from the spec of the run, or else nothing. Raises SpecError, with its line."""
    section = lock.spec.section(STAGE, ComplySpec)
    root = Path(lock.root)
    if path is None and section is not None and section.file:
        path = root / section.file
    if path is None:
        return GivenAnswers(_checked(section or ComplySpec()), root)
    if not path.is_file():
        raise SpecError(f"{path}: there is no such file", hint=f"--init {path} writes one")
    return GivenAnswers(_checked(load_section(STAGE, ComplySpec, path).spec, path), path.parent)


def _checked(spec: ComplySpec, path: Path | None = None) -> ComplySpec:
    if problems := list(faults(spec)):
        where = "" if path is None else f"{path}: "
        raise SpecError("\n".join(where + problem.line() for problem in problems))
    return spec


def write_dossier(
    run: RunDir, lock: Lock, answers: GivenAnswers, today: date, folder: Path
) -> ComplyReport:
    """Put the dossier in the place of what is in the folder. Raises StoreError for a run that is damaged or
    has not trained yet, and DataError for a file of the answers that is not there."""
    with replace_dir(folder) as scratch:
        records = _gather(run, lock, answers, scratch, folder)
        report = _report(run, lock, records, today).model_copy(update={"folder": str(folder)})
        _keep_moving(run, report, scratch)
        _write_pages(report, scratch)
        write_json(scratch / "oscal.json", as_oscal(report))
        write_json(scratch / "report.json", report.model_dump(mode="json"))
    return report


def list_artifacts(run: RunDir) -> tuple[Artifact, ...]:
    """The dossier's files in the run's own folder, for the manifest: cards, which decide nothing."""
    files = sorted(path for path in (run.root / STAGE).rglob("*") if path.is_file())
    return tuple(describe(run, path, CARD) for path in files if path != run.report_path(STAGE))


def _gather(run: RunDir, lock: Lock, answers: GivenAnswers, scratch: Path, folder: Path) -> Records:
    """What there is to ask; writes the dossier's own files that evidence links to."""
    run.read_report("train", TrainReport)  # says which command makes it, where it is not there
    # An earlier dossier is about to be replaced, whatever has become of it.
    old = f"{STAGE}/"
    if damage := [p for p in errors_of(verify(run)) if not p.file.startswith(old)]:
        more = f", and {len(damage) - 1} more" if damage[1:] else ""
        raise StoreError(f"{run.root}: damaged: {damage[0].line()}{more}")
    meter = measure_compute(run, lock, answers.spec.system.model_dump())
    energy = measure_energy(read_run(run.root))
    own = {
        "compute.json": {
            **meter.model_dump(mode="json"),
            "share": meter.share,
            "stated": meter.stated,
        },
        "energy.json": energy.model_dump(mode="json"),
    }
    for name, content in own.items():
        write_json(scratch / name, content)
    said = answers.spec.model_dump(mode="json", exclude_defaults=True)
    text = yaml.safe_dump(
        {"name": lock.spec.name, STAGE: said}, sort_keys=False, allow_unicode=True
    )
    write_text(scratch / ANSWERS, text)
    _keep_written(answers, scratch)
    digests = {
        path.relative_to(scratch).as_posix(): sha256_file(path)
        for path in sorted(scratch.rglob("*"))
        if path.is_file()
    }
    up = Path(os.path.relpath(run.root.resolve(), folder.resolve())).as_posix()
    why = [textless(each) for each in lock.candidates.values()]
    return Records(run.root, _rows(run), answers.spec, own, digests, up, why[0] if all(why) else "")


def _rows(run: RunDir) -> dict[str, ManifestRow]:
    """The files of the run by path: those of the manifest but for an earlier dossier, and what moves on."""
    rows = {row.path: row for row in read_manifest(run).artifacts if row.stage != STAGE}
    for name in MOVING:
        path = run.root / name
        if path.is_file():
            rows[name] = ManifestRow(**describe(run, path, CARD).model_dump(), stage="run")
    return rows


def _report(run: RunDir, lock: Lock, records: Records, today: date) -> ComplyReport:
    meter = ComputeMeter.model_validate(without(records.own["compute.json"], ("share", "stated")))
    spec = records.spec
    facts = _facts(run, spec, meter, writes_text=not records.textless)
    chosen = find_regimes(spec.regimes)
    return ComplyReport(
        run=run.root.name,
        name=lock.spec.name,
        today=today,
        roles=spec.roles,
        regimes={regime.id: regime.title for regime in chosen},
        controls=tuple(each for regime in chosen for each in judge(regime, facts, today, records)),
        compute=meter,
        energy=EnergyUse.model_validate(records.own["energy.json"]),
        documents=tuple(fill(form, records) for form in forms()),
        problems=(*_unreviewed(chosen), *_without_pdf()),
    )


def _unreviewed(chosen: Sequence[Regime]) -> Iterator[Problem]:
    """One warning about all rows that nobody has held against their source."""
    names = [each.id for each in chosen if each.reviewed_against != "source"]
    if names:
        yield Problem(
            level="warning",
            message=f"The rows of {', '.join(names)} were reviewed against copies and lists of others, not"
            " against their sources.",
            hint="Read each duty at its source before you quote it.",
        )


def _without_pdf() -> Iterator[Problem]:
    if refusal := missing_library():
        yield Problem(level="info", message=f"there is no {PDF}: {refusal}", hint=refusal.hint)


def _facts(run: RunDir, spec: ComplySpec, meter: ComputeMeter, *, writes_text: bool) -> Facts:
    """What people state, and what the records say where they state nothing."""
    facts = spec.system.model_dump()
    data = run.read_report("data", DataReport)
    found = data.personal_data.personal_data if data.personal_data else {}
    if facts["personal_data"] is None and any(found.values()):
        facts["personal_data"] = True
    # A floor decides only where it is above the threshold already.
    is_known = not meter.uncounted or (meter.share or 0) > 1
    return {
        **facts,
        "roles": spec.roles or None,
        "uses": facts["uses"] or None,
        "generates": facts["generates"] or (("text",) if writes_text else ()),
        "base_flops": meter.base_flops,
        "modification_flops": meter.total if is_known else None,
    }


def _keep_written(answers: GivenAnswers, scratch: Path) -> None:
    """Copies of the files that people gave as evidence."""
    for control, given in answers.spec.evidence.items():
        for each in given:
            if not each.file:
                continue
            path = answers.root / each.file
            if not path.is_file():
                raise DataError(
                    f"comply.evidence.{control}: {path}: there is no such file",
                    hint="paths start from the folder of the answers",
                )
            target = scratch / written_name(control, each.file)
            with os_errors(target):
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, target)


def _keep_moving(run: RunDir, report: ComplyReport, scratch: Path) -> None:
    """Copies of those files that the evidence links to and that go on changing."""
    for name in {e.link for c in report.controls for e in c.evidence} | {
        f.source for d in report.documents for s in d.sections for f in s.fields
    }:
        if name.startswith(KEPT):
            target = scratch / name
            with os_errors(target):
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(run.root / name.removeprefix(KEPT), target)


def write_pdf(report: ComplyReport, path: Path) -> None:
    """The dossier as one PDF anywhere, its links relative to there. Raises MissingExtra and StoreError."""
    root = os.path.relpath(Path(report.folder).resolve(), path.parent.resolve())
    write_bytes(path, as_pdf(_pages(report), report.today, Path(root).as_posix()))


def _pages(report: ComplyReport) -> dict[str, Page]:
    """By the names of their files."""
    pages = {"index": comply_page(report)}
    return pages | {
        f"documents/{each.id}": document_page(each, report) for each in report.documents
    }


def _write_pages(report: ComplyReport, scratch: Path) -> None:
    pages = _pages(report)
    if missing_library() is None:
        write_bytes(scratch / PDF, as_pdf(pages, report.today))
    for name, page in pages.items():
        path = scratch / name
        with os_errors(path):
            path.parent.mkdir(exist_ok=True)
        write_text(path.with_suffix(".html"), as_html(page))
        write_text(path.with_suffix(".md"), as_markdown(page))
