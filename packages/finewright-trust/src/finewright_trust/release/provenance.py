"""Where a released model comes from: an in-toto statement with SLSA's provenance, signed in an envelope.

Statement v1 (in-toto/attestation) with the predicate https://slsa.dev/provenance/v1: what was made, by which
build of what, from what. Everything is named by its SHA-256."""

from collections.abc import Iterator, Mapping
from pathlib import PurePath
from typing import Any

from finewright.store.events import read_events
from finewright_trust.release.evidence import RunEvidence

_RUN = "run"


def statement(evidence: RunEvidence, digests: Mapping[str, str]) -> dict[str, Any]:  # Any: JSON
    """The statement of the bundle's files, path -> SHA-256."""
    lock, manifest = evidence.lock, evidence.manifest
    trained = manifest.stages["train"]
    return {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [_named(path, sha256) for path, sha256 in sorted(digests.items())],
        "predicateType": "https://slsa.dev/provenance/v1",
        "predicate": {
            "buildDefinition": {
                "buildType": "urn:finewright:run-1",
                "externalParameters": {
                    "spec": lock.spec.model_dump(mode="json", exclude_none=True),
                    "base_model": evidence.candidate.base_model,
                },
                "internalParameters": {"finewright": lock.finewright, "run": manifest.key},
                "resolvedDependencies": [*_dependencies(evidence)],
            },
            "runDetails": {
                "builder": {
                    "id": f"urn:finewright:{lock.finewright}",
                    "version": _versions(evidence),
                },
                "metadata": {
                    "invocationId": evidence.run.root.resolve().name,
                    "startedOn": manifest.created.isoformat(timespec="seconds"),
                    "finishedOn": trained.finished.isoformat(timespec="seconds"),
                },
                "byproducts": [{"name": "actors", "annotations": {"actors": _actors(evidence)}}],
            },
        },
    }


def _dependencies(evidence: RunEvidence) -> Iterator[dict[str, Any]]:  # Any: JSON
    candidate = evidence.candidate
    origin = {"uri": f"pkg:generic/{candidate.base_origin or candidate.base_model}"}
    yield {"name": candidate.base_model, **origin, "digest": {"sha256": candidate.base_sha256}}
    yield _named("finewright's source", evidence.lock.code_sha256)
    for source in evidence.data.sources:
        if source.sha256:
            yield _named(PurePath(source.path).name, source.sha256)
    yield _named("the rows that trained", evidence.data.train.sha256)
    if ledger := evidence.data.ledger:
        yield _named("the Merkle root of the rows' ledger", ledger.merkle_root)


def _named(name: str, sha256: str) -> dict[str, Any]:  # Any: JSON
    return {"name": name, "digest": {"sha256": sha256}}


def _versions(evidence: RunEvidence) -> dict[str, str]:
    found = read_environment(evidence)["packages"]
    return {name: version for name, version in found.items() if version}


def read_environment(evidence: RunEvidence) -> dict[str, Any]:  # Any: JSON
    """What the run ran on, as env.json has it."""
    import json

    found: dict[str, Any] = json.loads(evidence.run.env.read_bytes())
    return found


def _actors(evidence: RunEvidence) -> list[object]:
    """Who has worked on the run, as its events say."""
    found = [event.fields.get("actor") for event in read_events(evidence.run).events]
    return [each for number, each in enumerate(found) if each and each not in found[:number]]
