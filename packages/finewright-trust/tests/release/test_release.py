"""The gate before a release: every rule by its evidence, and who may overrule it."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cli.conftest import Finewright
from finewright import trust
from finewright.conformance.feature import FeatureConformance
from finewright.schema.load import load_spec
from finewright.schema.poison import PoisonReport
from finewright.schema.train import Proof
from finewright.workbench.up import up
from finewright_trust.redteam.finding import (
    AttackFigure,
    AttackFinding,
    AttackRun,
    Rate,
    RedteamReport,
    Severity,
)
from finewright_trust.release.evidence import RunEvidence, read_evidence
from finewright_trust.release.policy import Rules
from finewright_trust.release.report import Outcome
from finewright_trust.release.rules import judge_rules
from tiny_run import nothing


class TestRelease(FeatureConformance):
    name = "release"


@pytest.fixture
def evidence(run: Path) -> RunEvidence:
    return read_evidence(run, "", ())


def outcome(evidence: RunEvidence, rule: str, **settings: Any) -> Outcome:
    rules = Rules.model_validate({rule: settings})
    return next(each for each in judge_rules(evidence, rules) if each.rule == rule)


def finding(attack: str, severity: Severity, hits: int, **more: Any) -> AttackFinding:
    rate = Rate(system="tuned", hits=hits, trials=24, low=0.0, high=1.0)
    facts = {
        "name": "one",
        "title": "Obeys",
        "says": "",
        "owasp": "LLM01:2025",
        "atlas": "AML.T0051",
    }
    return AttackFinding(attack=attack, severity=severity, rates=(rate,), **facts, **more)


def attacked(evidence: RunEvidence, *findings: AttackFinding, skipped: str = "") -> RunEvidence:
    names = {found.attack for found in findings} or {"drift"}
    report = RedteamReport(
        subject="run",
        systems=("base", "tuned"),
        seed=0,
        confidence=0.95,
        fail_at="high",
        attacks=tuple(AttackRun(name=name, skipped=skipped) for name in sorted(names)),
        findings=findings,
    )
    return replace(evidence, redteam=report)


def test_what_nobody_measured_is_red_and_says_the_command_that_measures_it(
    run: Path, finewright: Finewright
) -> None:
    found = finewright("release", "run", "--json")
    assert found.code == 1
    report = json.loads(found.out)
    unmeasured = {
        each["rule"]: each for each in report["outcomes"] if each["status"] == "not measured"
    }
    assert unmeasured.keys() == {
        *("forgetting", "redteam", "memorisation", "backdoor", "poison", "epsilon")
    }
    assert "redteam: {attacks: [drift]}" in unmeasured["forgetting"]["command"]
    assert report["bundle"] == ""
    assert not (run / "release").exists()


def test_attacks_are_red_from_their_bar_on(evidence: RunEvidence) -> None:
    works = attacked(evidence, finding("drift", "high", 17))
    assert outcome(works, "forgetting").status == "red"
    assert "17 of 24" in outcome(works, "forgetting").says
    weak = attacked(evidence, finding("drift", "medium", 12))
    assert outcome(weak, "forgetting").status == "green"
    assert outcome(weak, "forgetting", fail_at="medium").status == "red"
    assert outcome(weak, "forgetting", most=0.4).status == "red"
    assert outcome(weak, "forgetting", most=0.5).status == "green"
    assert outcome(weak, "backdoor").status == "not measured"
    untried = (AttackFigure(name="rows that it could be tried on", value=0),)
    assert outcome(
        attacked(evidence, finding("leakage", "none", 0, figures=untried)), "memorisation"
    ).status == ("not measured")
    assert outcome(attacked(evidence, skipped="needs rows"), "forgetting").status == "not measured"


def test_rows_and_licences_are_judged_by_what_the_run_recorded(evidence: RunEvidence) -> None:
    def with_data(**changed: Any) -> RunEvidence:
        return replace(evidence, data=evidence.data.model_copy(update=changed))

    searched = PoisonReport(rows_in=16, rows_suspicious=3)
    assert outcome(with_data(poison=searched), "poison").status == "red"
    assert outcome(with_data(poison=searched), "poison", at_most=3).status == "green"
    assert evidence.data.personal_data is not None
    found = evidence.data.personal_data.model_copy(update={"personal_data": {"email": 2}})
    assert outcome(with_data(personal_data=found), "personal_data").status == "red"
    removed = found.model_copy(update={"action": "redact"})
    assert outcome(with_data(personal_data=removed), "personal_data").status == "green"
    assert outcome(with_data(personal_data=None), "personal_data").status == "not measured"

    def of_base(licence: str) -> RunEvidence:
        return replace(
            evidence, candidate=evidence.candidate.model_copy(update={"base_license": licence})
        )

    assert outcome(of_base("Apache-2.0"), "licences").status == "green"
    assert outcome(of_base("CC-BY-NC-4.0"), "licences").status == "red"
    assert outcome(of_base("unknown"), "licences").status == "red"
    assert outcome(of_base("LicenseRef-Llama-3.2"), "licences").status == "green"
    assert outcome(of_base("GPL-3.0-only"), "licences", allow=["Apache-2.0"]).status == "red"


def test_a_result_that_others_read_otherwise_is_red(evidence: RunEvidence) -> None:
    proofs = (Proof(name="reload", measured=2.0, bar=1.0, passed=False),)
    changed = evidence.candidate.model_copy(update={"proofs": proofs})
    assert outcome(replace(evidence, candidate=changed), "parity").status == "red"


def test_records_that_are_not_as_they_were_are_red_and_nobody_can_take_that_upon_them(
    run: Path, finewright: Finewright
) -> None:
    with (run / "evaluate" / "samples.jsonl").open("a") as file:
        file.write("\n")
    found = finewright("release", "run", "--policy", "policy.yaml", "--json")
    assert found.code == 1
    assert json.loads(found.out)["outcomes"][0]["status"] == "red"
    by = ("--by", "Ada", "--reason", "why not")
    refused = finewright("release", "run", "--policy", "policy.yaml", "--accept", "integrity", *by)
    assert refused.code == 2
    assert "nobody can take upon them" in refused.err


STRICT = ("release", "run", "--policy", "strict.yaml")


@pytest.fixture
def strict(run: Path) -> Path:
    """A policy with a rule that the run does not keep to, and two people to agree."""
    text = (run.parent / "policy.yaml").read_text()
    text = text.replace("    poison: null\n", "").replace("  rules:", "  approvals: 2\n  rules:")
    (run.parent / "strict.yaml").write_text(text)
    return run


def test_a_named_person_accepts_for_a_reason_and_it_is_shown_until_something_changes(
    strict: Path, finewright: Finewright
) -> None:
    assert finewright(*STRICT, "--accept", "poison", "--by", "Ada").code == 2
    by = ("--by", "Ada", "--reason", "the rows are our own")
    near = finewright(*STRICT, "--accept", "poisson", *by)
    assert (near.code, "did you mean 'poison'?" in near.err) == (2, True)
    accepted = finewright(*STRICT, "--accept", "poison", *by)
    assert accepted.code == 1
    assert "poison: Ada" in accepted.out
    assert "the rows are our own" in accepted.out
    assert "0 of 2 approvals" in accepted.out
    assert finewright("verify", "run").code == 0
    card = next(strict.glob("train/*/adapter/README.md"))
    card.write_text(card.read_text() + "\n")
    assert "of other files, rules or outcomes" in finewright(*STRICT).out


def test_four_eyes_sign_the_very_files_by_keys_that_are_trusted_here(
    strict: Path, finewright: Finewright, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    finewright(*STRICT, "--accept", "poison", "--by", "Ada", "--reason", "our own")
    assert "1 of 2 approvals" in finewright(*STRICT, "--approve", "--by", "Ada").out
    assert "1 of 2 approvals" in finewright(*STRICT, "--approve", "--by", "Ada").out, (
        "one key, one eye"
    )
    with monkeypatch.context() as other:
        other.setenv("XDG_CONFIG_HOME", str(tmp_path / "bob"))
        assert finewright(*STRICT, "--approve", "--by", "Bob").code == 1
        from finewright.store.signing import own_key

        key = own_key()
    unknown = finewright(*STRICT)
    assert unknown.code == 1
    assert f"finewright trust key {key} NAME" in unknown.out
    assert finewright("trust", "key", key, "Bob").code == 0
    released = finewright(*STRICT)
    assert released.code == 0
    assert "Bob" in released.out
    assert finewright("verify", "run/release/bundle").code == 0
    assert finewright("verify", "run").code == 0
    assert "accepted" in finewright("verify", "run/release/bundle").out
    trust.remove(key)


def test_a_forged_decision_counts_no_more(strict: Path, finewright: Finewright) -> None:
    finewright(*STRICT, "--accept", "poison", "--by", "Ada", "--reason", "our own")
    path = strict / "release" / "decisions.json"
    path.write_text(path.read_text().replace("Ada", "Eve"))
    assert "Eve accepted poison: it is not what was signed" in finewright(*STRICT).out


def test_a_wrong_policy_is_one_line_with_the_nearest_name(
    run: Path, finewright: Finewright
) -> None:
    (run.parent / "wrong.yaml").write_text("name: x\nrelease:\n  rules:\n    memorization: {}\n")
    found = finewright("release", "run", "--policy", "wrong.yaml")
    assert (found.code, found.out) == (2, "")
    assert found.err.startswith(
        "error: wrong.yaml:4: release.rules.memorization: unknown key; did you mean 'memorisation'?"
    )
    assert not (run / "release").exists()


def test_a_run_without_a_model_says_which_command_makes_it(
    run: Path, finewright: Finewright
) -> None:
    (run / "train" / "report.json").unlink()
    found = finewright("release", "run")
    assert (found.code, found.out) == (2, "")
    assert "the stage train is not done" in found.err
    assert "finewright up run" in found.err


def test_the_printed_policy_is_the_built_in_one(run: Path, finewright: Finewright) -> None:
    (run.parent / "printed.yaml").write_text(finewright("policy").out)
    reports = [
        json.loads(finewright("release", "run", *given, "--json").out)
        for given in ((), ("--policy", "printed.yaml"))
    ]
    assert reports[0]["policy"] == reports[1]["policy"]


def test_up_ends_with_a_bundle_or_with_why_there_is_none(measured: Path) -> None:
    rules = "{task: null, forgetting: null, redteam: null, memorisation: null, backdoor: null"
    spec = measured / "with.yaml"
    text = (measured / "spec.yaml").read_text()
    spec.write_text(f"{text}release: {{rules: {rules}, licences: {{deny: []}}, parity: null}}}}\n")
    from finewright.errors import StageError

    with pytest.raises(StageError, match="not released: poison"):
        up(load_spec(spec), measured / "with", on_event=nothing)
    spec.write_text(spec.read_text().replace("parity: null", "parity: null, poison: null"))
    report = up(load_spec(spec), measured / "with", on_event=nothing)
    run = Path(report.summary.run)
    assert (run / "release" / "bundle" / "model.sig").is_file()
    assert up(load_spec(spec), measured / "with", on_event=nothing).ran == ()
