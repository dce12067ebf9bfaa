"""What every attack must do: a test module subclasses `AttackConformance`, says its `name`, and gives the
fixture `subject` of something that it can be tried on: `ScriptedSubject`, or a run of a tiny model."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

import pytest

from finewright import plugins
from finewright_trust.redteam.attack import Attack
from finewright_trust.redteam.finding import AttackFinding
from finewright_trust.redteam.spec import RedteamSpec
from finewright_trust.redteam.subject import AttackPrompt, Subject, SystemReply

_OWASP = re.compile(r"LLM(0[1-9]|10):2025")
_ATLAS = re.compile(r"AML\.T\d{4}(\.\d{3})?")


class ScriptedSubject(Subject):
    """Systems that answer as they are told, for attacks that only ask: name -> what it says to a prompt."""

    questions = ("What is the fee?", "Where is the bank?", "Who may sign?")

    def __init__(self, scripts: Mapping[str, Callable[[AttackPrompt], str]]) -> None:
        super().__init__("scripted", lambda *_: None, tuple(scripts), kind="run")
        self.scripts = scripts

    def fits(self, prompt: AttackPrompt, spec: RedteamSpec) -> bool:
        """Every prompt does, up to the spec's length in words."""
        return len(prompt.text.split()) <= spec.max_prompt_tokens

    def ask(
        self, system: str, prompts: Sequence[AttackPrompt], max_new_tokens: int
    ) -> Sequence[SystemReply]:
        """What the script says."""
        return [SystemReply(self.scripts[system](prompt)) for prompt in prompts]


class AttackConformance:
    """The claims."""

    name: ClassVar[str]
    spec: ClassVar[RedteamSpec] = RedteamSpec(prompts=4, max_new_tokens=8)

    @pytest.fixture
    def subject(self) -> Any:  # Any: what the attack is tried on
        pytest.fail("give a fixture `subject`")

    @pytest.fixture
    def attack(self) -> Attack:
        attack: Attack = plugins.resolve("attack", self.name)
        return attack

    @pytest.fixture
    def findings(self, attack: Attack, subject: Any) -> Sequence[AttackFinding]:
        return attack.run(subject, self.spec)

    def test_it_says_what_it_is_and_what_it_can_be_tried_on(self, attack: Attack) -> None:
        assert attack.name == self.name
        assert attack.sentence.endswith(".")
        assert attack.kinds

    def test_it_finds_something_to_say_also_where_nothing_comes_of_it(
        self, findings: Sequence[AttackFinding]
    ) -> None:
        assert findings
        assert {found.attack for found in findings} == {self.name}
        names = [found.name for found in findings]
        assert len(set(names)) == len(names)

    def test_a_finding_is_classified_counted_and_mended(
        self, findings: Sequence[AttackFinding]
    ) -> None:
        for found in findings:
            assert _OWASP.fullmatch(found.owasp)
            assert _ATLAS.fullmatch(found.atlas)
            assert found.rates or found.figures, "a claim without a measurement"
            assert all(rate.low <= rate.share <= rate.high for rate in found.rates)
            assert found.severity == "none" or found.mends, "what is found has a fix"
            assert found.severity == "none" or found.says

    def test_the_same_seed_finds_the_same(
        self, attack: Attack, subject: Any, findings: Sequence[AttackFinding]
    ) -> None:
        assert attack.run(subject, self.spec) == findings
