"""Who took a red rule upon them, and who agreed to a release: kept in the run, signed, void with any change.

Each person signs with the key that signs their runs (Ed25519), over the digest of the very files and the
policy. Covered: a file, a setting or an outcome that is another one since. Not covered: one person with two
keys, unless those who trust the keys (`finewright trust key`) know whose they are."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Literal, NamedTuple

from finewright import trust
from finewright.errors import DataError, StoreError, suggest
from finewright.schema.common import Model
from finewright.store import events
from finewright.store.actor import read_actor
from finewright.store.atomic import read_json, write_json
from finewright.store.keys import digest
from finewright.store.manifest import CARD, cover, describe
from finewright.store.rundir import RunDir
from finewright.store.signing import is_signed, own_key, sign
from finewright_trust.release.report import Decision, Outcome
from finewright_trust.release.rules import INTEGRITY

FILE = "decisions.json"


class Decisions(Model):
    """The whole of decisions.json, oldest first."""

    decisions: tuple[Decision, ...] = ()


class Judged(NamedTuple):
    """Outcomes with what was accepted, the approvals that count, and what counts no longer."""

    outcomes: tuple[Outcome, ...]
    approvals: tuple[Decision, ...]
    void: tuple[str, ...]
    subject: str


def read_decisions(run: RunDir) -> tuple[Decision, ...]:
    """Every decision of the run. Raises StoreError where the file is damaged."""
    path = run.root / "release" / FILE
    if not path.is_file():
        return ()
    return read_json(path, Decisions, hint="restore it from a copy, or remove it").decisions


def apply_decisions(
    decisions: Sequence[Decision], outcomes: Sequence[Outcome], files: str
) -> Judged:
    """What holds of the decisions for these outcomes of these `files`, a digest of them and of the policy."""
    accepted: dict[str, Decision] = {}
    void = []
    for each in decisions:
        if each.kind == "acceptance":
            if fault := _fault_of(each, files):
                void.append(f"{each.by} accepted {each.rule}: {fault}")
            else:
                accepted[each.rule] = each
    found = tuple(
        each.model_copy(update={"accepted": accepted.get(each.rule)})
        if each.status not in ("green", "does not apply") and each.rule != INTEGRITY
        else each
        for each in outcomes
    )
    subject = digest(files, [[each.rule, each.status, each.accepted] for each in found])
    approvals: dict[str, Decision] = {}
    for each in decisions:
        if each.kind == "approval":
            if fault := _fault_of(each, subject) or _stranger(each):
                void.append(f"{each.by} approved: {fault}")
            else:
                approvals[_key(each)] = each
    return Judged(found, tuple(approvals.values()), tuple(void), subject)


def accept(
    run: RunDir, judged: Judged, files: str, rules: Sequence[str], by: str, why: str
) -> None:
    """Record that `by` takes these rules upon them. Raises DataError for one that is none, or green."""
    standing = {each.rule: each for each in judged.outcomes}
    for rule in rules:
        if rule not in standing:
            hint = suggest(rule, standing, f"its rules: {', '.join(standing)}")
            raise DataError(f"--accept {rule}: the policy has no such rule", hint=hint)
        if rule == INTEGRITY:
            raise DataError(
                "--accept integrity: nobody can take upon them that records are not as they were",
                hint=standing[rule].command,
            )
        if (status := standing[rule].status) in ("green", "does not apply"):
            says = "it is green" if status == "green" else "it does not apply"
            raise DataError(f"--accept {rule}: {says}", hint="leave it out")
    for rule in rules:
        _record(run, "acceptance", files, by, rule=rule, reason=why)


def approve(run: RunDir, judged: Judged, by: str, why: str) -> None:
    """Record that `by` agrees to the release of exactly this. Raises DataError while a rule is red."""
    if red := [each.rule for each in judged.outcomes if not each.passes]:
        raise DataError(
            f"{run.root}: cannot be approved while {', '.join(red)} is red",
            hint="fix it, or accept it by name first: --accept RULE --by NAME --reason TEXT",
        )
    _record(run, "approval", judged.subject, by, reason=why)


def _record(
    run: RunDir,
    kind: Literal["acceptance", "approval"],
    subject: str,
    by: str,
    *,
    rule: str = "",
    reason: str = "",
) -> None:
    """Only the holder of the run's lock may call this."""
    made = datetime.now(UTC)
    decision = Decision(
        kind=kind, rule=rule, by=by, reason=reason, made=made, actor=read_actor(), subject=subject
    )
    signature = sign(_content(decision))
    if signature is None:
        raise StoreError(
            "no key of yours can be kept here, so that nobody could tell who decided",
            hint="set XDG_CONFIG_HOME to a folder of your own",
        )
    kept = Decisions(
        decisions=(*read_decisions(run), decision.model_copy(update={"signature": signature}))
    )
    path = run.stage_dir("release") / FILE
    write_json(path, kept.model_dump(mode="json"))
    cover(run, "release", describe(run, path, CARD))
    events.emit(run, f"release_{kind}", by=by, rule=rule, reason=reason, subject=subject)


def _content(decision: Decision) -> bytes:
    said = digest(decision.model_copy(update={"signature": None}))
    return f"finewright release decision 1 {said}".encode()


def _fault_of(decision: Decision, subject: str) -> str:
    signature = decision.signature
    if signature is None or not is_signed(_content(decision), signature):
        return "it is not what was signed"
    if decision.subject != subject:
        return (
            f"on {decision.made:%Y-%m-%d}, of other files, rules or outcomes than there are by now"
        )
    return ""


def _stranger(decision: Decision) -> str:
    key = _key(decision)
    known = {each.value for each in trust.read_trusted() if each.kind == "key"} | {own_key()}
    return "" if key in known else f"by a key that is unknown here: finewright trust key {key} NAME"


def _key(decision: Decision) -> str:
    assert decision.signature is not None
    return decision.signature.key
