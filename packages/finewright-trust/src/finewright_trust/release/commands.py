"""`finewright release`: judge a run, then sign and write it, or say what is in the way."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter

from finewright.feature import Session
from finewright.schema.common import Artifact
from finewright.schema.options import CommandOptions
from finewright.store import events
from finewright.store.atomic import sha256_file
from finewright.store.keys import digest
from finewright.store.lock import run_lock
from finewright.store.manifest import CARD, describe, record_stage
from finewright.store.rundir import RunDir
from finewright_trust.release.decisions import (
    FILE,
    Judged,
    accept,
    apply_decisions,
    approve,
    read_decisions,
)
from finewright_trust.release.evidence import RunEvidence, read_evidence
from finewright_trust.release.options import ReleaseOptions
from finewright_trust.release.policy import ReleaseSpec, Rules, policy_text
from finewright_trust.release.report import BundleReport, ReleaseReport
from finewright_trust.release.rules import judge_rules
from finewright_trust.release.signing import SigningKey, find_key


def release(options: ReleaseOptions, session: Session) -> ReleaseReport:
    """Judge the run, record what is accepted or approved, and write the bundle if nothing is in the way."""
    from finewright.workbench.outputs import check_outputs

    check_outputs([options.out], [options.run])
    evidence = read_evidence(options.run, options.base_model, options.exports)
    policy = _policy(options, evidence)
    key = find_key(options.key, options.certificates)
    run = evidence.run
    with run_lock(run):
        session.on_event("release", {"what": "judging"})
        files = digest_of(evidence, policy)
        outcomes = judge_rules(evidence, policy.rules)
        judged = apply_decisions(read_decisions(run), outcomes, files)
        if options.accept:
            accept(run, judged, files, options.accept, options.by, options.reason)
        if options.approve:
            approve(run, judged, options.by, options.reason)
        judged = apply_decisions(read_decisions(run), outcomes, files)
        report = report_of(evidence, policy, judged)
        if options.approve or refusal_of(report):
            events.emit(run, "release_refused", rules=[each.rule for each in report.red])
            return report
        out = options.out or own_bundle(run)
        report = publish(out, evidence, policy, report, key)
        if options.out is None:
            run.write_report("release", report)
            made = artifacts_of(run, report)
            record_stage(run, "release", digest("command", report.policy), made, datetime.now(UTC))
        events.emit(run, "released", bundle=str(out), key=report.key)
    return report


def policy(options: CommandOptions, session: Session) -> str:
    """The built-in policy."""
    return policy_text()


def verify_bundle(folder: Path, key: Path | None) -> BundleReport:
    """What is wrong with a bundle; `finewright verify`."""
    from finewright.feature import check_needs
    from finewright_trust.release.bundle import verify_bundle as verify
    from finewright_trust.release.feature import FEATURE

    check_needs(FEATURE)
    return verify(folder, key)


def _policy(options: ReleaseOptions, evidence: RunEvidence) -> ReleaseSpec:
    """The file's, the run's own, or the built-in one."""
    from finewright.schema.load_section import load_section

    if options.policy:
        return load_section("release", ReleaseSpec, options.policy).spec
    return evidence.lock.spec.section("release", ReleaseSpec) or ReleaseSpec()


def digest_of(evidence: RunEvidence, policy: ReleaseSpec) -> str:
    """Of all that is decided about."""
    return digest({path: sha256_file(file) for path, file in evidence.contents().items()}, policy)


def report_of(evidence: RunEvidence, policy: ReleaseSpec, judged: Judged) -> ReleaseReport:
    """What is shown before anything is written."""
    return ReleaseReport(
        run=str(evidence.run.root),
        base_model=evidence.candidate.base_model,
        policy=digest(policy),
        outcomes=judged.outcomes,
        left_out=tuple(name for name in Rules.model_fields if getattr(policy.rules, name) is None),
        subject=judged.subject,
        approvals=judged.approvals,
        approvals_needed=policy.approvals,
        void=judged.void,
    )


def refusal_of(report: ReleaseReport) -> str:
    """Why it is not released; empty where it may be."""
    if report.red:
        named = ", ".join(f"{each.rule} ({each.status}: {each.says})" for each in report.red)
        return f"not released: {named}"
    if (found := len(report.approvals)) < report.approvals_needed:
        return f"not released: {found} of {report.approvals_needed} approvals"
    return ""


def publish(
    out: Path, evidence: RunEvidence, policy: ReleaseSpec, report: ReleaseReport, key: SigningKey
) -> ReleaseReport:
    """Write the bundle; returns the report with it."""
    from finewright_trust.release.bundle import write_bundle

    started = perf_counter()
    inside = report.model_copy(update={"bundle": out.name})
    files = write_bundle(out, evidence, policy, inside, key)
    return report.model_copy(
        update={
            "bundle": str(out),
            "files": files,
            "key": str(key.public),
            "seconds": round(perf_counter() - started, 1),
        }
    )


def own_bundle(run: RunDir) -> Path:
    """Where a run keeps its bundle."""
    return run.stage_dir("release") / "bundle"


def artifacts_of(run: RunDir, report: ReleaseReport) -> Sequence[Artifact]:
    """The manifest's view of the bundle in the run, and of what was decided."""
    own = own_bundle(run).relative_to(run.root).as_posix()
    found = [each.model_copy(update={"path": f"{own}/{each.path}"}) for each in report.files]
    decisions = run.root / "release" / FILE
    return [*found, describe(run, decisions, CARD)] if decisions.is_file() else found
