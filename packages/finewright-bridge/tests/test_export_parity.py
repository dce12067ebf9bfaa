"""What answers otherwise is far, whatever way it is otherwise; an end is a choice like any token."""

import math

import pytest

import tiny
from finewright.lm.model import LM
from finewright_bridge.export.parity import GreedyAnswer, Prompt, distances, own_answers

pytestmark = pytest.mark.torch

PROMPTS = [Prompt((5, 9, 33), ""), Prompt((10, 20, 30, 40), "")]
MOST = 8


@pytest.fixture(scope="module")
def lm():
    return LM(tiny.tiny_model("llama"), {})


@pytest.fixture(scope="module")
def own(lm):
    """Answers that end by themselves, at a token that the model chooses early."""
    free = own_answers(lm, PROMPTS, frozenset(), MOST)
    ends = frozenset(answer.ids[3] for answer in free)
    found = own_answers(lm, PROMPTS, ends, MOST)
    assert all(answer.stop_id is not None for answer in found)
    return found


def test_the_same_answers_are_no_distance_apart(lm, own):
    far = distances(lm, PROMPTS, own, own, MOST)
    assert (far.same, far.prompts) == (2, 2)
    assert far.gap_max == 0
    assert far.logp_mean == pytest.approx(0, abs=1e-5)


@pytest.mark.parametrize(
    "change",
    [
        lambda answer: GreedyAnswer((), answer.stop_id),
        lambda answer: GreedyAnswer((), None),
        lambda answer: GreedyAnswer(answer.ids[:1], answer.stop_id),
        lambda answer: GreedyAnswer(answer.ids, None),
        lambda answer: GreedyAnswer((*answer.tokens, 3, 4, 3, 4, 3, 4, 3)[:MOST], None),
        lambda answer: GreedyAnswer((answer.ids[0] + 1, *answer.ids[1:]), answer.stop_id),
    ],
    ids=["ends at once", "nothing", "ends early", "breaks off", "never ends", "another token"],
)
def test_another_answer_is_far(lm, own, change):
    far = distances(lm, PROMPTS, own, [change(answer) for answer in own], MOST)
    assert far.same == 0
    assert far.gap_max > 0.3


def test_an_answer_that_breaks_off_is_infinitely_far(lm, own):
    cut = [GreedyAnswer(answer.ids[:2], None) for answer in own]
    assert math.isinf(distances(lm, PROMPTS, own, cut, MOST).gap_max)


@pytest.mark.parametrize(("apart", "ties"), [(0.6, 1), (0.4, 0)])
def test_a_tie_is_what_the_rounding_of_the_same_answers_explains(lm, own, apart, ties):
    """One answer parts by a token that lies `gap` below the best; the other one's log-probabilities are
    `apart` * gap off, so that two tokens nearer than twice that may change places."""
    first = own[0].ids[0] + 1
    other = GreedyAnswer((first, *own[0].ids[1:]), own[0].stop_id)
    gap = distances(lm, PROMPTS, own, [other, own[1]], MOST).gap_max
    moved = GreedyAnswer(
        own[1].ids, own[1].stop_id, (own[1].logps[0] + apart * gap, *own[1].logps[1:])
    )
    far = distances(lm, PROMPTS, own, [other, moved], MOST)
    assert (far.same, far.ties) == (1, ties)
    assert far.rounding == pytest.approx(2 * apart * gap, rel=1e-3)
