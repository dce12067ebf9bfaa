"""What every scorer of texts must do: a test module subclasses `ScorerConformance`, says the metric's `name`
(with its argument, if it takes one), and gives pairs of an answer and what was expected."""

from collections.abc import Callable, Sequence
from typing import ClassVar

import pytest

from finewright.conformance.texts import ODD_TEXTS
from finewright.errors import UnknownPlugin
from finewright.evaluate.score import row_scorer
from finewright.judge.calls import AnswerScorer

Score = Callable[[str, str], float]


class ScorerConformance:
    """The claims; `right` pairs score 1, `wrong` ones 0, and `between` ones neither."""

    name: ClassVar[str]
    right: ClassVar[Sequence[tuple[str, str]]]
    wrong: ClassVar[Sequence[tuple[str, str]]]
    between: ClassVar[Sequence[tuple[str, str]]] = ()

    @pytest.fixture
    def score(self) -> Score:
        scorer = row_scorer(self.name)
        assert not isinstance(scorer, AnswerScorer)
        return scorer

    def test_right_answers_score_1_and_wrong_ones_0(self, score: Score) -> None:
        assert [score(*pair) for pair in self.right] == pytest.approx([1.0] * len(self.right))
        assert [score(*pair) for pair in self.wrong] == pytest.approx([0.0] * len(self.wrong))
        assert all(0 < score(*pair) < 1 for pair in self.between)

    @pytest.mark.parametrize("text", ODD_TEXTS, ids=range(len(ODD_TEXTS)))
    def test_any_answer_has_a_score_from_0_to_1_and_always_the_same(
        self, score: Score, text: str
    ) -> None:
        for other in (text, *(expected for _, expected in (*self.right, *self.wrong))):
            for pair in ((text, other), (other, text)):
                assert 0 <= score(*pair) <= 1
                assert score(*pair) == score(*pair)

    def test_its_argument_is_required_and_none_is_taken_where_it_has_none(self) -> None:
        base, colon, _ = self.name.partition(":")
        with pytest.raises(UnknownPlugin) as raised:
            row_scorer(base if colon else f"{base}:x")
        assert raised.value.hint
