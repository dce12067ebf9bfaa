"""Answers that stand beside another row's question: not related to their own question, and clearly to that of
a row whose answer is not related to its own either."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from finewright.guard.misfits.left_out import regressions
from finewright.guard.misfits.likeness import Embed, Floats, products, unit, vectors
from finewright.guard.misfits.odds import Odds, fitted, least_odds

_RIDGE = 2
_DOUBTFUL = 0.05
_NEAREST = 0.02
_FITS_OWN = 0.04
_LEAST_FIT = 0.2
_LEAST_ODDS = 0.5
_SUPPOSED_SHARE = 0.03
# How much meaning counts beside words; which of these the set decides.
_MEANING = (1.0, 2.0)
_MOST_EMBEDDED = 500
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


def exchanged_answers(
    prompts: Sequence[str], answers: Sequence[str], embed: Embed | None = None
) -> Answers:
    """Among rows whose answer is doubtful, those that fit another such row of another subject.

    In sets where the questions are of few kinds (threads of mails, templates), many answers fit; a row whose
    own answer is among the 4 % that fit it best is none of these. Where many rows are doubtful it says little
    that an answer fits one of them. As many are named as leave four of five right by their odds."""
    known = _relations(prompts, answers, embed)
    own = np.diag(known.scores)
    fits_own = np.minimum(
        (known.scores > own[:, None]).mean(axis=1), (known.scores > own[None, :]).mean(axis=0)
    )
    doubtful = np.flatnonzero((known.not_own >= _DOUBTFUL) & (fits_own >= _FITS_OWN))
    share = len(doubtful) / len(own)
    each = (_exchanged(known, i, doubtful[doubtful != i], share) for i in doubtful.tolist())
    found = [one for one in each if one]
    chances = np.array([one.chance for one in found])
    least = least_odds(chances, np.ones(len(found)))
    return Answers(tuple(one for one in found if one.chance >= least), _power(known, share))


def _relations(prompts: Sequence[str], answers: Sequence[str], embed: Embed | None) -> _Relations:
    """By common words and meaning, and by what the other rows answer to questions like it: a regression from
    questions to answers, the row left out. What an embedder says comes on top, as far as it helps."""
    num = len(prompts)
    rows = vectors([*prompts, *answers])
    prompt_rows, answer_rows = rows[:num], rows[num:]
    questions = products(prompt_rows, prompt_rows)
    learned = list(regressions(questions, np.eye(num)))[_RIDGE].without_each()
    np.fill_diagonal(learned, 0.0)
    worded = _centred(products(prompt_rows, answer_rows))
    worded += _centred(learned @ products(answer_rows, answer_rows))
    every = [worded]
    if embed:
        meant = _centred(_meant(prompts, embed) @ _meant(answers, embed).T)
        every += [worded + weight * meant for weight in _MEANING]
    own = np.arange(num)
    of_questions = fitted(every, own)
    of_answers = fitted([scores.T for scores in every], own)
    return _Relations(every[of_questions.best], questions, of_questions, of_answers)


def _meant(texts: Sequence[str], embed: Embed) -> Floats:
    found = embed([text[:_MOST_EMBEDDED] for text in texts]).astype(np.float64)
    return unit(found - found.mean(axis=0))


def _exchanged(
    known: _Relations, i: int, others: NDArray[np.int64], share: float
) -> Exchanged | None:
    """The doubtful row that this one fits, if there is one with a question unlike its own.

    `share`: of all rows, those that are doubtful."""
    alike = (known.questions[i][None, :] > known.questions[i, others][:, None]).mean(axis=1)
    others = others[alike >= _NEAREST]
    if not len(others):
        return None
    fits = [odds.chances[i, others] for odds in (known.of_questions, known.of_answers)]
    fit = sum(float(each.max()) for each in fits)
    if fit < _LEAST_FIT:
        return None
    partner = int(others[np.maximum(*fits).argmax()])
    chance = _with_partner(known.not_own[i : i + 1], np.array([fit]), share)
    return Exchanged(i, partner, float(chance[0]))


def _with_partner(not_own: Floats, fit: Floats, share: float) -> Floats:
    """How likely it is that an answer is not its own, given how well it fits a doubtful row: an answer of its
    own fits one of these by chance, as often as rows are doubtful."""
    for_it, against = not_own * fit, (1 - not_own) * share
    chance: Floats = for_it / (for_it + against)
    return chance


def _power(known: _Relations, share: float) -> float:
    """A trial in the set: how often another row's answer would be named, given how well a true answer fits
    its question, or the question the answer, as is asked of a partner; were 3 % of the rows such."""
    both = (known.of_questions, known.of_answers)
    fit = np.sum([np.diag(odds.chances) for odds in both], axis=0)
    not_own = np.maximum(*(odds.others for odds in both))
    fits = np.stack([np.roll(fit, at) for at in range(not_own.shape[1])], axis=1)
    chances = _with_partner(not_own, fits, share + _SUPPOSED_SHARE)
    is_named = (not_own >= _DOUBTFUL) & (fits >= _LEAST_FIT) & (chances >= _LEAST_ODDS)
    return float(is_named.mean())


def _centred(scores: Floats) -> Floats:
    """Without what a question or an answer scores with all, to a deviation of 1."""
    rest = scores - scores.mean(axis=0) - scores.mean(axis=1, keepdims=True) + scores.mean()
    scaled: Floats = rest / max(float(rest.std()), _TINY)
    return scaled
