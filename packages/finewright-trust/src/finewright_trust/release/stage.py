"""The stage of a run: released at its end by the policy of its spec."""

from finewright.errors import StageError
from finewright.store.stage import StageContext, StageResult
from finewright_trust.release.commands import (
    artifacts_of,
    digest_of,
    own_bundle,
    publish,
    refusal_of,
    report_of,
)
from finewright_trust.release.decisions import apply_decisions, read_decisions
from finewright_trust.release.evidence import read_evidence
from finewright_trust.release.policy import ReleaseSpec
from finewright_trust.release.rules import judge_rules
from finewright_trust.release.signing import find_key


def run(context: StageContext) -> StageResult:
    """Judge and release by the run's own policy.

    Raises StageError where a rule stands in the way, when nothing is released, and StoreError where several
    base models were trained, of which only the command can pick one."""
    policy = context.spec.section("release", ReleaseSpec) or ReleaseSpec()
    evidence = read_evidence(context.run.root, "", ())
    files = digest_of(evidence, policy)
    judged = apply_decisions(
        read_decisions(context.run), judge_rules(evidence, policy.rules), files
    )
    report = report_of(evidence, policy, judged)
    if refusal := refusal_of(report):
        raise StageError(
            refusal,
            hint=f"finewright release {context.run.root} shows every rule, and what fixes it",
        )
    report = publish(own_bundle(context.run), evidence, policy, report, find_key(None, ()))
    return StageResult(
        report, tuple(artifacts_of(context.run, report)), tuple(f.sha256 for f in report.files)
    )
