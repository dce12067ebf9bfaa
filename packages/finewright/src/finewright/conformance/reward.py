"""What every reward that compares texts must do: a test module subclasses `RewardConformance`, says the
plugin's `name`, and gives answers with what the row's column holds and what they are worth."""

from collections.abc import Sequence
from math import isfinite
from pathlib import Path
from typing import ClassVar

import pytest

from finewright.conformance.texts import ODD_TEXTS
from finewright.schema.rewards import RewardSpec
from finewright.train.rewards import Judge, PolicyAnswer, Rewards, build, check


class RewardConformance:
    """The claims; `worth` are (answer, the column's text, the reward)."""

    name: ClassVar[str]
    worth: ClassVar[Sequence[tuple[str, str, float]]]

    @pytest.fixture
    def spec(self) -> RewardSpec:
        return RewardSpec(function=f"plugin:{self.name}")

    @pytest.fixture
    def rewards(self, spec: RewardSpec) -> Rewards:
        return build([spec], Path, _no_model)

    def test_an_answer_is_worth_what_it_is(self, rewards: Rewards) -> None:
        answers = [_make_answer(text, column) for text, column, _ in self.worth]
        scored = rewards.score(answers)
        assert scored.totals == pytest.approx([value for *_, value in self.worth])
        assert list(scored.means) == [f"reward/{self.name}"]

    @pytest.mark.parametrize("text", ODD_TEXTS, ids=range(len(ODD_TEXTS)))
    def test_any_answer_is_worth_a_number_and_always_the_same(
        self, rewards: Rewards, text: str
    ) -> None:
        answers = [_make_answer(text, column) for _, column, _ in self.worth]
        totals = rewards.score(answers).totals
        assert all(map(isfinite, totals))
        assert totals == rewards.score(answers).totals

    def test_a_row_without_the_column_is_found_before_training(self, spec: RewardSpec) -> None:
        columns = [{"answer": column} for _, column, _ in self.worth]
        assert [p for p in check([spec], columns, Path) if p.level == "error"] == []
        (problem,) = check([spec], [*columns, {"other": 1}], Path)
        assert (problem.level, problem.key) == ("error", "train.rewards.0.column")


def _make_answer(text: str, column: str) -> PolicyAnswer:
    return PolicyAnswer(text, (), {"answer": column}, stopped=True)


def _no_model(_: Path) -> Judge:
    pytest.fail("a reward that compares texts loads no model")
