"""What leaves: a folder that is whole or not there, with every byte of it signed; and the check of one.

model/    the weights, with the model card      exports/  other forms of it, where they were named
run/      spec, lock, manifest, reports, data card: the run's papers, under the paths they have there
release.json    the rules and what became of them      bom.cdx.json     CycloneDX 1.7
provenance.dsse.json    in-toto, SLSA                  model.sig        OpenSSF model-signing"""

import json
import shutil
from pathlib import Path

from pydantic import ValidationError

from finewright.errors import DataError
from finewright.schema.common import Artifact
from finewright.store.atomic import os_errors, replace_dir, scratch_dir, sha256_file
from finewright_trust.release.bom import bill_of_materials
from finewright_trust.release.evidence import RunEvidence
from finewright_trust.release.policy import ReleaseSpec
from finewright_trust.release.provenance import statement
from finewright_trust.release.report import BundleReport, ReleaseReport
from finewright_trust.release.signing import (
    SIGNATURE,
    SigningKey,
    fault,
    faults_of_signature,
    list_files,
    own_public_key,
    seal_statement,
    sign_folder,
    signer_of_statement,
)

RELEASE, BOM, PROVENANCE = "release.json", "bom.cdx.json", "provenance.dsse.json"


def write_bundle(
    out: Path, evidence: RunEvidence, policy: ReleaseSpec, report: ReleaseReport, key: SigningKey
) -> tuple[Artifact, ...]:
    """Put the whole bundle at `out`, in the place of one that is there; returns its files.

    Nothing is there after an error that was not before. Raises DataError and StoreError."""
    with replace_dir(out) as place, scratch_dir(out) as scratch:
        # The signature names the folder, so that it is made under its own name.
        folder = scratch / out.name
        folder.mkdir()
        for path, source in evidence.contents().items():
            _copy(source, folder / path)
        _write(folder / "run" / "manifest.json", _manifest_before(evidence))
        _write(folder / RELEASE, report.model_dump_json(indent=1).encode())
        digests = {path: sha256_file(folder / path) for path in sorted(list_files(folder))}
        _write(folder / BOM, bill_of_materials(evidence, policy, report, digests).encode())
        digests[BOM] = sha256_file(folder / BOM)
        _write(folder / PROVENANCE, seal_statement(statement(evidence, digests)))
        sign_folder(folder, key)
        files = tuple(_artifact(folder, path) for path in sorted(list_files(folder)))
        folder.rename(place)
    return files


def verify_bundle(folder: Path, key: Path | None) -> BundleReport:
    """Hold every file against the signature, and that against a public key or a certificate: the user's own,
    where none is given. Raises DataError for what is no bundle, or no key."""
    if not folder.is_dir():
        raise DataError(f"{folder}: there is no such folder", hint="name a bundle, or a run folder")
    public = key or own_public_key()
    names = sorted(list_files(folder))
    faults = [
        fault(name, "is a link, and no file") for name in names if (folder / name).is_symlink()
    ]
    if SIGNATURE not in names:
        faults.append(fault(SIGNATURE, "missing"))
    faults = faults or faults_of_signature(folder, public)
    prover = "" if faults else signer_of_statement((folder / PROVENANCE).read_bytes())
    if not faults and not prover:
        faults = [fault(PROVENANCE, "is not what its key signed")]
    return BundleReport(
        bundle=str(folder),
        files=len(names),
        key=str(public),
        prover=prover,
        release=None if faults else _read_release(folder),
        problems=tuple(faults),
    )


def _read_release(folder: Path) -> ReleaseReport | None:
    """None where a later version wrote it: the signature says that it is as it was."""
    try:
        return ReleaseReport.model_validate_json((folder / RELEASE).read_bytes())
    except (OSError, ValidationError):
        return None


def _manifest_before(evidence: RunEvidence) -> bytes:
    """The run's manifest without what a release wrote; what was signed of each stage stays as it is."""
    record = evidence.manifest
    stages = {name: stage for name, stage in record.stages.items() if name != "release"}
    rows = tuple(row for row in record.artifacts if row.stage != "release")
    before = record.model_copy(update={"stages": stages, "artifacts": rows})
    return json.dumps(before.model_dump(mode="json", exclude_none=True), indent=2).encode()


def _copy(source: Path, path: Path) -> None:
    with os_errors(source):
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, path)


def _write(path: Path, content: bytes) -> None:
    with os_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def _artifact(folder: Path, path: str) -> Artifact:
    file = folder / path
    return Artifact(path=path, kind="bundle", sha256=sha256_file(file), bytes=file.stat().st_size)
