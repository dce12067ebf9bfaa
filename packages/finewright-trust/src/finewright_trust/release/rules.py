"""The rules of a release: each looks at the run's own records and says green, red, or not measured.

A rule is a key of `policy.Rules` and a function here, which gets the evidence and the rule's settings."""

import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from finewright.catalog.licences import model_licence
from finewright.data.provenance.licences import judge, read_expression
from finewright.evaluate.score import ScoreOptions, options_of
from finewright.report.cells import count_of
from finewright.report.model_card import words_line
from finewright.schema.evaluate import BASE, LINEAR
from finewright.schema.train import textless
from finewright.store.atomic import sha256_file
from finewright_trust.redteam.finding import SEVERITIES, AttackFinding, Rate
from finewright_trust.release.compared import UNCOUNTED, compare_answers
from finewright_trust.release.evidence import RunEvidence, read_export
from finewright_trust.release.policy import (
    AttackRule,
    CountRule,
    EpsilonRule,
    LicenceRule,
    MemorisationRule,
    Rule,
    Rules,
    TaskRule,
)
from finewright_trust.release.report import Outcome, Status

_UNTRIED = "rows that it could be tried on"
"""The figure, 0, of a leak that could not be tried (redteam.leakage.rows)."""
_MOST_NAMED = 3
_UP = "finewright up SPEC"


def judge_rules(evidence: RunEvidence, rules: Rules) -> tuple[Outcome, ...]:
    """Every rule that the policy asks for, and before them whether the records are as they were written."""
    found = [_integrity(evidence)]
    for name, check in CHECKS.items():
        settings: Rule | None = getattr(rules, name)
        if settings is not None:
            outcome = check(evidence, settings)
            found.append(outcome.model_copy(update={"rule": name, "required": settings.required}))
    return tuple(found)


INTEGRITY = "integrity"
"""The rule that no policy takes out and nobody can take upon them."""


def _integrity(evidence: RunEvidence) -> Outcome:
    says = "every file, score and signature is as the run recorded it"
    if faults := evidence.faults:
        says = f"{count_of(len(faults), 'fault')}: {faults[0].line()}"
    command = f"finewright verify {_run(evidence)}"
    return _outcome("red" if faults else "green", says, command).model_copy(
        update={"rule": INTEGRITY}
    )


def _task(evidence: RunEvidence, rule: TaskRule) -> Outcome:
    held_out = f"name held-out rows under evaluate.data of the spec, then: {_UP}"
    if evidence.evaluate is None:
        return _unmeasured("nobody measured the tuned model on held-out rows", held_out)
    ours, theirs = evidence.samples()
    if not ours or len(ours) != len(theirs):
        return _unrivalled(evidence)
    metrics = rule.metrics or tuple(dict.fromkeys(s.metric for s in evidence.evaluate.scores))
    had = {name for sample in ours for name in sample.scores} - UNCOUNTED
    if missing := [name for name in rule.metrics if name not in had]:
        add = f"add it to evaluate.metrics of the spec, then: {_UP}"
        return _unmeasured(f"the run did not measure {', '.join(missing)} row by row", add)
    if not had:
        return _unmeasured("no metric gives rows a score", f"add one to evaluate.metrics: {_UP}")
    usual = options_of(evidence.lock.spec.evaluate)
    options = ScoreOptions(rule.confidence, usual.resamples, usual.seed)
    parts = compare_answers(ours, theirs, metrics, options, rule.margin)
    wrong = [each for each in parts if each.verdict != "no worse"]
    named = [
        f"{p.metric}, {p.part}: {p.verdict}, {100 * p.difference:+.1f} points ({p.says})"
        for p in wrong
    ]
    fewer = [p for p in parts if p.bound is not None]
    says = "; ".join(named[:_MOST_NAMED]) or "; ".join(f"{p.metric}: {p.says}" for p in fewer)
    outcome = _outcome(
        "red" if wrong else "green", f"against the {evidence.rival}: {says}", held_out
    )
    return outcome.model_copy(update={"parts": tuple(parts)})


def _unrivalled(evidence: RunEvidence) -> Outcome:
    if evidence.rival == BASE:
        base = f"evaluate.compare_with leaves out the base: add it, then: {_UP}"
        return _unmeasured("the base did not answer the same rows", base)
    says = f"its base knows no labels, and no {LINEAR} answered the same rows to be no worse than"
    accept = f"finewright release {_run(evidence)} --accept task --by NAME --reason WHY"
    add = f"where each row has one label, add linear to evaluate.compare_with, then: {_UP}"
    return _unmeasured(says, f"{add}; else {accept}")


def _attacks(evidence: RunEvidence, rule: AttackRule) -> Outcome:
    if why := textless(evidence.settings):
        says = f"{why}, which {', '.join(rule.attacks)} would ask for: nobody tried it"
        words = words_line(evidence.candidate, evidence.data)
        if words and isinstance(rule, MemorisationRule):
            says += f"; but {words} (the model card says so too)"
        return _outcome("does not apply", says)
    wanted = f"redteam: {{attacks: [{', '.join(rule.attacks)}]}}"
    command = f"add `{wanted}` to the spec, then: {_UP}"
    report = evidence.redteam
    ran = {each.name: each.skipped for each in report.attacks} if report else {}
    if missing := [name for name in rule.attacks if name not in ran]:
        return _unmeasured(f"nobody tried {', '.join(missing)}", command)
    findings = [f for f in report.findings if f.attack in rule.attacks] if report else []
    tried = [f for f in findings if _is_of(evidence, f) and not _is_untried(f)]
    skipped = [f"{name} was not tried: it {ran[name]}" for name in rule.attacks if ran[name]]
    skipped += [f"{f.name}: {f.says}" for f in findings if _is_untried(f)]
    if not tried:
        return _unmeasured("; ".join(skipped) or "there is no finding of this model", command)
    wrong = [f for f in tried if _is_too_severe(f, rule) or _share(evidence, f) > rule.most]
    says = "; ".join(f"{f.title.lower()}: {_shown(evidence, f)}" for f in wrong[:_MOST_NAMED])
    more = f"; {len(wrong) - _MOST_NAMED} more" if len(wrong) > _MOST_NAMED else ""
    sound = (
        f"{count_of(len(tried), 'thing was', 'things were')} tried, none {rule.fail_at} or worse"
    )
    mends = [f"{mend.what}: {mend.command}".removesuffix(": ") for f in wrong for mend in f.mends]
    named = "; ".join(filter(None, [says + more or sound, *skipped]))
    return _outcome("red" if wrong else "green", named, next(iter(mends), ""))


def _poison(evidence: RunEvidence, rule: CountRule) -> Outcome:
    search = f"set `data.poison: {{action: quarantine}}` in the spec, then: {_UP}"
    report = evidence.data.poison
    if report is None:
        return _unmeasured("nobody searched the rows for planted behaviour", search)
    is_out = evidence.lock.spec.data.poison.action == "quarantine"
    left = 0 if is_out else report.rows_suspicious
    found = f"{report.rows_suspicious} of {report.rows_in} rows are suspicious"
    says = f"{found}{', and were kept out of the training' if is_out else ''}"
    return _of_count(left, rule, says, search)


def _personal_data(evidence: RunEvidence, rule: CountRule) -> Outcome:
    found = evidence.data.personal_data
    mend = f"set `data.personal_data: {{action: pseudonymise}}` in the spec, then: {_UP}"
    if found is None or not found.is_whole:
        return _unmeasured("nobody looked for personal data and secrets in the rows", mend)
    left = found.left
    kinds = ", ".join(f"{number} {kind}" for kind, number in left.items())
    says = f"left in the rows: {kinds}" if left else "none is left in the rows"
    return _of_count(sum(left.values()), rule, says, mend)


def _licences(evidence: RunEvidence, rule: LicenceRule) -> Outcome:
    ledger = evidence.data.ledger
    if ledger is None:
        return _unmeasured(
            "the run has no ledger of its rows", f"a run of this version has one: {_UP}"
        )
    base = evidence.candidate.base_license
    parts = [(f"the base {evidence.candidate.base_model}", base)]
    parts += [(count_of(rows, "row"), licence) for licence, rows in ledger.licenses.items()]
    wrong = [f"{what}: {why}" for what, licence in parts if (why := _objection(licence, rule))]
    named = "; ".join(f"{what}: {licence or 'unknown'}" for what, licence in parts)
    known = model_licence(base)
    named += f" ({known.conditions})" if known and known.conditions else ""
    mends = ["name the licence of each source (data.sources), or train on others"]
    if _objection(base, rule):
        others = (
            f"train on a base whose licence may be used instead of {evidence.candidate.base_model}"
        )
        mends = [others, *(mends if len(wrong) > 1 else [])]
    command = f"{'; '.join(mends)}; then: {_UP}"
    return _outcome("red" if wrong else "green", "; ".join(wrong) or named, command)


def _objection(licence: str, rule: LicenceRule) -> str:
    """Why it may not be used; empty where it may. A licence of models is known by the catalog."""
    known = model_licence(licence)
    if known is not None and not known.is_commercial:
        return f"{known.title} is for no business use" if "noncommercial" in rule.deny else ""
    if known is not None and not rule.allow and licence not in rule.deny:
        return ""
    fault = read_expression(licence).fault
    return fault or judge(licence, rule.policy()).why


def _epsilon(evidence: RunEvidence, rule: EpsilonRule) -> Outcome:
    spent = evidence.candidate.privacy
    if spent is None:
        return _unmeasured(
            "the training was not private", f"set train.privacy in the spec, then: {_UP}"
        )
    status: Status = "green" if spent.epsilon <= rule.at_most else "red"
    command = f"{_UP} --set train.privacy.epsilon={rule.at_most:g}"
    return _outcome(status, spent.spent_line(), command)


def _weights(evidence: RunEvidence, rule: Rule) -> Outcome:
    from finewright_trust.scan.folder import scan_folder

    found = scan_folder(evidence.adapter)
    wrong = [each for each in found.problems if each.level == "error"]
    says = wrong[0].line() if wrong else f"{count_of(found.files, 'file')}, only data"
    return _outcome("red" if wrong else "green", says, f"finewright scan {evidence.adapter}")


def _parity(evidence: RunEvidence, rule: Rule) -> Outcome:
    proofs = evidence.candidate.proofs
    again = f"{_UP} --set train.prove_elsewhere=true"
    if not proofs:
        return _unmeasured("nobody loaded the result again and compared it", again)
    wrong = [f"{p.name}: {p.measured:.3g}, bar {p.bar:.3g}" for p in proofs if not p.passed]
    wrong += [fault for folder in evidence.exports for fault in _export_faults(evidence, folder)]
    exports = f", {count_of(len(evidence.exports), 'export')}" if evidence.exports else ""
    says = "; ".join(wrong) or f"{count_of(len(proofs), 'proof')}{exports}: the same model"
    return _outcome("red" if wrong else "green", says, again)


def _export_faults(evidence: RunEvidence, folder: Any) -> Iterator[str]:  # Any: a Path
    report = read_export(folder)
    parity = report.parity
    if report.base_model != evidence.candidate.base_model:
        yield f"{folder}: is of {report.base_model}"
    if not parity.passed:
        accepted = f", published all the same: {parity.accepted}" if parity.accepted else ""
        yield f"{folder}: {parity.parted} of {parity.prompts} answers are others{accepted}"
    for file in report.files:
        path = folder / file.path
        if not path.is_file() or sha256_file(path) != file.sha256:
            yield f"{path}: is not as it was exported"
            return


def _outcome(status: Status, says: str, command: str = "") -> Outcome:
    """`command` mends what is red, or measures it."""
    return Outcome(rule="", status=status, says=says, command="" if status == "green" else command)


def _unmeasured(says: str, command: str) -> Outcome:
    return _outcome("not measured", says, command)


def _of_count(left: int, rule: CountRule, says: str, command: str) -> Outcome:
    is_red = left > rule.at_most
    return _outcome("red" if is_red else "green", says, command)


def _run(evidence: RunEvidence) -> str:
    return shlex.quote(str(evidence.run.root))


def _is_of(evidence: RunEvidence, found: AttackFinding) -> bool:
    """Whether it is of this candidate; what bears no rates does not say, and counts for each."""
    return not found.rates or any(r.system.startswith(evidence.prefix) for r in found.rates)


def _is_untried(found: AttackFinding) -> bool:
    return any(figure.name == _UNTRIED and figure.value == 0 for figure in found.figures)


def _is_too_severe(found: AttackFinding, rule: AttackRule) -> bool:
    if rule.fail_at == "none":
        return False
    return SEVERITIES.index(found.severity) >= SEVERITIES.index(rule.fail_at)


def _share(evidence: RunEvidence, found: AttackFinding) -> float:
    rate = _tuned(evidence, found.rates)
    return rate.share if rate else 0.0


def _shown(evidence: RunEvidence, found: AttackFinding) -> str:
    rate = _tuned(evidence, found.rates)
    return f"{found.severity}, {rate.hits} of {rate.trials}" if rate else found.severity


def _tuned(evidence: RunEvidence, rates: Sequence[Rate]) -> Rate | None:
    return next((r for r in rates if r.system == f"{evidence.prefix}tuned"), None)


Check = Callable[[RunEvidence, Any], Outcome]  # Any: the settings of its rule
CHECKS: Mapping[str, Check] = {
    "task": _task,
    "forgetting": _attacks,
    "redteam": _attacks,
    "memorisation": _attacks,
    "backdoor": _attacks,
    "poison": _poison,
    "personal_data": _personal_data,
    "licences": _licences,
    "epsilon": _epsilon,
    "weights": _weights,
    "parity": _parity,
}
