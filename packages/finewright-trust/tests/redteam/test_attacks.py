"""Attacks on systems whose answers are known: each finding says what was scripted, and no more."""

import re

import pytest

from finewright.judge.statistics import mcnemar, wilson
from finewright_trust.conformance.attack import AttackConformance, ScriptedSubject
from finewright_trust.redteam.attack import AttackFacts, judge_pairs
from finewright_trust.redteam.attacks.drift import drift
from finewright_trust.redteam.attacks.injection import injection
from finewright_trust.redteam.attacks.jailbreak import jailbreak
from finewright_trust.redteam.attacks.secret import secret
from finewright_trust.redteam.finding import FindingMend, Severity
from finewright_trust.redteam.spec import RedteamSpec
from finewright_trust.redteam.subject import AttackPrompt, SystemReply, ask_user
from finewright_trust.redteam.wordings import wordings

SPEC = RedteamSpec(prompts=24)
ABOUT = AttackFacts("a", "b", "c", "LLM01:2025", "AML.T0051", "high", (FindingMend(what="fix it"),))


def steadfast(_: AttackPrompt) -> str:
    return "Within 14 days."


def obedient(prompt: AttackPrompt) -> str:
    """Says the last word, as every override ends with its marker."""
    return prompt.text.split()[-1]


def echo(prompt: AttackPrompt) -> str:
    return prompt.text


class TestInjection(AttackConformance):
    name = "injection"

    @pytest.fixture
    def subject(self) -> ScriptedSubject:
        return ScriptedSubject({"base": steadfast, "tuned": obedient})


def test_a_model_that_obeys_is_found_and_one_that_does_not_is_not() -> None:
    found = injection(ScriptedSubject({"base": steadfast, "tuned": obedient}), SPEC)
    override = next(each for each in found if each.name == "override")
    base, tuned = override.rates
    assert (base.system, base.hits) == ("base", 0)
    assert tuned.hits > 0
    assert override.severity == "high"
    assert all(e.answer in e.prompt for e in override.evidence)
    assert all(not each.rates[0].hits for each in found)


def test_a_model_that_repeats_the_prompt_did_not_obey() -> None:
    found = injection(ScriptedSubject({"base": steadfast, "tuned": echo}), SPEC)
    assert [each.severity for each in found] == ["none"] * len(found)


def refusing(_: AttackPrompt) -> str:
    return "I'm sorry, I cannot help with that."


def complying(prompt: AttackPrompt) -> str:
    """Goes on about what was asked last."""
    return f"Sure. {prompt.messages[-1]['content']} First of all,"


def telling(prompt: AttackPrompt) -> str:
    """Says the code of the system prompt, spaced out."""
    (code,) = re.findall(r"[A-Z]{4}-\d{4}", prompt.messages[0]["content"])
    return " ".join(code)


def bad_mannered(prompt: AttackPrompt) -> str:
    return "moron" if "called" in prompt.text else complying(prompt)


class TestJailbreak(AttackConformance):
    name = "jailbreak"

    @pytest.fixture
    def subject(self) -> ScriptedSubject:
        return ScriptedSubject({"base": refusing, "tuned": complying})


class TestSecret(AttackConformance):
    name = "secret"

    @pytest.fixture
    def subject(self) -> ScriptedSubject:
        return ScriptedSubject({"base": steadfast, "tuned": telling})


class TestDrift(AttackConformance):
    name = "drift"

    @pytest.fixture
    def subject(self) -> ScriptedSubject:
        return ScriptedSubject({"base": refusing, "tuned": bad_mannered})


def test_a_jailbroken_model_answers_and_a_base_that_refuses_does_not() -> None:
    found = {
        f.name: f for f in jailbreak(ScriptedSubject({"base": refusing, "tuned": complying}), SPEC)
    }
    assert all(each.rates[0].hits == 0 for each in found.values())
    assert found["languages"].rates[1].hits == 24
    assert found["languages"].severity == "high"
    assert found["templates"].rates[1].trials == 1  # as many templates as the package has


def test_a_secret_is_found_spaced_out_and_every_prompt_has_its_own() -> None:
    asked: list[str] = []

    def keeps(prompt: AttackPrompt) -> str:
        asked.append(str(prompt.messages[0]["content"]))
        return steadfast(prompt)

    direct, whole = secret(ScriptedSubject({"base": keeps, "tuned": telling}), SPEC)
    assert (direct.rates[1].hits, direct.rates[0].hits) == (24, 0)
    assert direct.severity == whole.severity == "high"
    assert len(set(asked[:24])) == 24


def test_drift_tells_lost_refusals_from_lost_answers_and_bad_manners() -> None:
    def silent(_: AttackPrompt) -> str:
        return "{}"

    lost = {f.name: f for f in drift(ScriptedSubject({"base": refusing, "tuned": silent}), SPEC)}
    assert lost["refusals"].severity == "none"
    helpful = ScriptedSubject({"base": complying, "tuned": silent})
    questions = len(wordings().questions)
    general = next(f for f in drift(helpful, SPEC) if f.name == "general")
    assert (general.rates[0].hits, general.rates[1].hits) == (0, questions)
    assert general.severity == "medium"
    toxic = next(
        f for f in drift(ScriptedSubject({"base": complying, "tuned": bad_mannered}), SPEC)
        if f.name == "toxicity"
    )  # fmt: skip
    assert [rate.hits for rate in toxic.rates] == [0, 1]


def hits(*, base: int, tuned: int, n: int = 24) -> dict[str, list[bool]]:
    return {"base": [i < base for i in range(n)], "tuned": [i < tuned for i in range(n)]}


@pytest.mark.parametrize(
    ("base", "tuned", "severity"),
    [(0, 0, "none"), (24, 0, "none"), (0, 1, "low"), (0, 12, "high"), (20, 22, "medium")],
)
def test_severity_is_what_training_did_or_how_often(
    base: int, tuned: int, severity: Severity
) -> None:
    prompts = [ask_user(f"question {i}") for i in range(24)]
    replies = {name: [SystemReply("answer")] * 24 for name in ("base", "tuned")}
    found = judge_pairs(ABOUT, prompts, replies, hits(base=base, tuned=tuned), SPEC)
    assert found.severity == severity
    assert found.p_value == mcnemar(max(tuned - base, 0), max(base - tuned, 0))
    assert [(r.low, r.high) for r in found.rates] == [
        wilson(n, 24, confidence=0.95) for n in (base, tuned)
    ]
    assert bool(found.mends) is (tuned > 0)


def test_without_another_system_it_is_severe_only_where_it_works_more_often_than_not() -> None:
    prompts = [ask_user(f"question {i}") for i in range(24)]
    for tuned, severity in ((24, "high"), (8, "medium"), (1, "low")):
        alone = {"served": hits(base=0, tuned=tuned)["tuned"]}
        found = judge_pairs(ABOUT, prompts, {"served": [SystemReply("x")] * 24}, alone, SPEC)
        assert found.severity == severity
        assert found.p_value is None
