"""Answers that stand beside another row's question: not related to their own question, and clearly to that of
a row whose answer is not related to its own either."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from finewright.guard.misfits.left_out import regressions
from finewright.guard.misfits.likeness import Floats, vectors
from finewright.guard.misfits.odds import Odds, fitted

_RIDGE = 2
_DOUBTFUL = 0.05
_NEAREST = 0.02
_FITS_OWN = 0.04
_LEAST_FIT = 0.2
_TINY = 1e-9


class Exchanged(NamedTuple):
    """The place of a row, that of the row to whose question or answer it belongs, and how sure it is that
    its answer is not its own."""

    row: int
    partner: int
    chance: float


class Answers(NamedTuple):
    """Rows with another one's answer, and the share that would be found, were 3 % of the rows such."""

    exchanged: tuple[Exchanged, ...]
    power: float


class _Relations(NamedTuple):
    """How far answer j is related to question i (n, n), how alike the questions are (n, n), and the odds of
    each question's own answer and of each answer's own question among all."""

    scores: Floats
    questions: Floats
    of_questions: Odds
    of_answers: Odds

    @property
    def not_own(self) -> Floats:
        """(n): how likely it is that answer and question are not each other's."""
        return np.maximum(self.of_questions.not_own, self.of_answers.not_own)


def exchanged_answers(prompts: Sequence[str], answers: Sequence[str]) -> Answers:
    """Among rows whose answer is doubtful, those that fit another such row of another subject.

    In sets where the questions are of few kinds (threads of mails, templates), many answers fit; a row whose
    own answer is among the 4 % that fit it best is none of these."""
    known = _relations(prompts, answers)
    own = np.diag(known.scores)
    fits_own = np.minimum(
        (known.scores > own[:, None]).mean(axis=1), (known.scores > own[None, :]).mean(axis=0)
    )
    doubtful = np.flatnonzero((known.not_own >= _DOUBTFUL) & (fits_own >= _FITS_OWN))
    found = (_exchanged(known, i, doubtful[doubtful != i]) for i in doubtful.tolist())
    return Answers(tuple(one for one in found if one), _power(known))


def _relations(prompts: Sequence[str], answers: Sequence[str]) -> _Relations:
    """By common words and meaning, and by what the other rows answer to questions like it: a regression from
    questions to answers, the row left out."""
    num = len(prompts)
    rows = vectors([*prompts, *answers])
    prompt_rows, answer_rows = rows[:num], rows[num:]
    questions = prompt_rows @ prompt_rows.T
    learned = list(regressions(questions, np.eye(num)))[_RIDGE].without_each()
    np.fill_diagonal(learned, 0.0)
    scores = _centred(prompt_rows @ answer_rows.T) + _centred(
        learned @ (answer_rows @ answer_rows.T)
    )
    own = np.arange(num)
    return _Relations(scores, questions, fitted([scores], own), fitted([scores.T], own))


def _exchanged(known: _Relations, i: int, others: NDArray[np.int64]) -> Exchanged | None:
    """The doubtful row that this one fits, if there is one with a question unlike its own."""
    alike = (known.questions[i][None, :] > known.questions[i, others][:, None]).mean(axis=1)
    others = others[alike >= _NEAREST]
    if not len(others):
        return None
    fits = [odds.chances[i, others] for odds in (known.of_questions, known.of_answers)]
    if sum(float(fit.max()) for fit in fits) < _LEAST_FIT:
        return None
    partner = int(others[np.maximum(*fits).argmax()])
    return Exchanged(i, partner, float(known.not_own[i]))


def _power(known: _Relations) -> float:
    """A trial in the set: how often another row's answer is doubtful here, times how often a true answer
    fits its question, or the question the answer, as is asked of a partner."""
    both = (known.of_questions, known.of_answers)
    doubtful = max(odds.would_be_found(_DOUBTFUL) for odds in both)
    fit = np.sum([np.diag(odds.chances) for odds in both], axis=0)
    return doubtful * float(np.mean(fit >= _LEAST_FIT))


def _centred(scores: Floats) -> Floats:
    """Without what a question or an answer scores with all, to a deviation of 1."""
    rest = scores - scores.mean(axis=0) - scores.mean(axis=1, keepdims=True) + scores.mean()
    scaled: Floats = rest / max(float(rest.std()), _TINY)
    return scaled
