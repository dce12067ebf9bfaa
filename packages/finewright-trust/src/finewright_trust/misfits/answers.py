"""Answers that stand beside another row's question.

An answer that changed places leaves two traces: it is not related to its own question, and the question
whose answer it is has one that is not related either. Each answer belongs to one question, so that all
doubtful rows are looked at together: of all ways to hand out their answers the likely ones are counted.

Who has whose: of all ways to hand out answers to questions, each answer once, how often one has another.

P(order) ~ exp of the sum of log odds[i, order[i]]. Its marginals are ratios of permanents, for which there
is no quick formula; they are counted over a chain of exchanges of two, each made with the chance that its
odds give it (Metropolis et al. 1953; for permanents Jerrum & Sinclair 1989)."""

from collections.abc import Sequence
from math import ceil, e
from typing import NamedTuple

import numpy as np

from finewright.lm.embedders.meaning import Embed
from finewright_trust.misfits.likeness import Floats, Ints, products, regressions, unit, vectors
from finewright_trust.misfits.odds import SUPPOSED_SHARE, Odds, fit_odds, least_odds

_LEAST_STEPS, _MOST_STEPS = 30_000, 300_000


_OF_EACH_PAIR = 20


_NOT_COUNTED = 0.25


_RIDGE = 2
_DOUBTFUL = 0.02
_NEAREST = 0.02
_FITS_OWN = 0.04
_UNRELATED_RANK, _UNRELATED_PART = 0.25, 0.5
# How much meaning counts beside words; which of these the set decides.
_MEANING = (1.0, 2.0)
_MOST_EMBEDDED = 500
_LEAST_TRIED = 30
_TINY = 1e-9


class Exchanged(NamedTuple):
    """The place of a row, that of the row whose answer it should have, and how sure it is that its answer
    is not its own."""

    row: int
    partner: int
    chance: float


class Answers(NamedTuple):
    """Rows with another one's answer, and the share that would be found, were 3 % of the rows such."""

    exchanged: tuple[Exchanged, ...]
    power: float


class _Texts(NamedTuple):
    """n questions and n answers: how alike questions are, and answers; how an answer j is related to a
    question i by its words, and by meaning, if an embedder was asked; what the others teach of i (n, n)."""

    questions: Floats
    answers: Floats
    worded: Floats
    meant: Floats | None
    learned: Floats


class _Relations(NamedTuple):
    """How far answer j is related to question i (n, n), and the odds of each question's own answer and of
    each answer's own question among all."""

    scores: Floats
    of_questions: Odds
    of_answers: Odds

    @property
    def not_own(self) -> Floats:
        """(n): how likely it is that answer and question are not each other's."""
        return np.maximum(self.of_questions.not_own, self.of_answers.not_own)

    @property
    def better(self) -> Floats:
        """(n): of all answers, the share that are more related to the question than its own."""
        own = np.diag(self.scores)
        share: Floats = (self.scores > own[:, None]).mean(axis=1)
        return share

    @property
    def better_of_questions(self) -> Floats:
        """(n): the same of all questions, for an answer."""
        own = np.diag(self.scores)
        share: Floats = (self.scores > own[None, :]).mean(axis=0)
        return share


def find_exchanged_answers(
    prompts: Sequence[str], answers: Sequence[str], embed: Embed | None = None
) -> Answers:
    """Of rows whose answer is doubtful, those that have another one's in nearly all likely orders.

    In sets where the questions are of few kinds (threads of mails, templates), many answers fit; a row whose
    own answer is among the 4 % that fit it best is not doubtful, and an exchange with one of the 2 % whose
    questions are most alike says nothing. As many are named as leave four of five right by their odds."""
    read = _read(prompts, answers, embed)
    found = _search(read, np.arange(len(prompts)))
    return Answers(found, _power(read, {one.row for one in found}))


def _read(prompts: Sequence[str], answers: Sequence[str], embed: Embed | None) -> _Texts:
    """What others teach: a regression from questions to answers, the row left out."""
    num = len(prompts)
    rows = vectors([*prompts, *answers])
    questions = products(rows[:num], rows[:num])
    learned = list(regressions(questions, np.eye(num)))[_RIDGE].without_each()
    np.fill_diagonal(learned, 0.0)
    return _Texts(
        questions,
        products(rows[num:], rows[num:]),
        products(rows[:num], rows[num:]),
        _embed_meaning(prompts, embed) @ _embed_meaning(answers, embed).T if embed else None,
        learned,
    )


def _search(read: _Texts, order: Ints) -> tuple[Exchanged, ...]:
    """Where question i has the answer order[i]."""
    known = _relations(read, order)
    best = np.minimum(known.better, known.better_of_questions)
    doubtful = np.flatnonzero((known.not_own >= _DOUBTFUL) & (best >= _FITS_OWN))
    elsewhere = shares(_log_odds(known, doubtful))
    for i, alike in enumerate(read.questions[doubtful]):
        is_near = (alike > alike[doubtful, None]).mean(axis=1) < _NEAREST
        elsewhere[i, is_near] = elsewhere[i, i] = 0.0
    chances = elsewhere.sum(axis=1)
    least = least_odds(chances, np.ones(len(chances)))
    return tuple(
        Exchanged(int(doubtful[i]), int(doubtful[elsewhere[i].argmax()]), float(chances[i]))
        for i in np.flatnonzero(chances >= least)
    )


def _relations(read: _Texts, order: Ints) -> _Relations:
    """By common words, and by what the other rows answer to questions like it. What an embedder says comes
    on top, as far as it helps."""
    answers = read.answers[np.ix_(order, order)]
    worded = _centre(read.worded[:, order]) + _centre(read.learned @ answers)
    every = [worded]
    if read.meant is not None:
        meant = _centre(read.meant[:, order])
        every += [worded + weight * meant for weight in _MEANING]
    own = np.arange(len(order))
    of_questions = fit_odds(every, own)
    of_answers = fit_odds([scores.T for scores in every], own)
    return _Relations(every[of_questions.best], of_questions, of_answers)


def _log_odds(known: _Relations, rows: Ints) -> Floats:
    """(n, n) of some rows: ln of how likely question i has the answer j, as the geometric mean of what the
    question says of the answers, and the answer of the questions.

    That a row has another's answer is worth e / n beside its own, as where any share of the rows may be
    exchanged, in any order: (k!)^(1/k) is nearly k / e. Some answers are related to nothing, their own
    question included: the share of those that a quarter of all answers fit better, over the three quarters
    of answers without relation of which that is true (Storey 2002), without those supposed to be exchanged;
    half of it counts, chosen on seven sets."""
    num = len(known.scores)
    unrelated = float((known.better > _UNRELATED_RANK).mean()) / (1 - _UNRELATED_RANK)
    by_chance = _UNRELATED_PART * max(0.0, unrelated - SUPPOSED_SHARE) / num
    chances = known.of_questions.chances[np.ix_(rows, rows)] + by_chance
    back = known.of_answers.chances.T[np.ix_(rows, rows)] + by_chance
    others = np.where(np.eye(len(rows), dtype=bool), 0.0, np.log(e / num))
    log_odds: Floats = (np.log(chances) + np.log(back)) / 2 + others
    return log_odds


def _power(read: _Texts, named: set[int]) -> float:
    """A trial in the set: 3 % of its answers change places, as often as makes 30 of them or more, and
    the share of these is counted that is found; 0 where as many others are named anew."""
    num = len(read.questions)
    rows = np.array([i for i in range(num) if i not in named])
    num_exchanged = max(2, round(SUPPOSED_SHARE * num))
    num_trials = ceil(_LEAST_TRIED / num_exchanged)
    rng = np.random.default_rng(0)
    right = wrong = 0
    for _ in range(num_trials):
        chosen = rng.choice(rows, min(num_exchanged, len(rows)), replace=False)
        order = np.arange(num)
        order[chosen] = np.roll(chosen, 1)
        found = {one.row for one in _search(read, order)}
        right += len(found.intersection(chosen.tolist()))
        wrong += len(found.difference(chosen.tolist()) - named)
    return right / (num_trials * num_exchanged) if right > wrong else 0.0


def _embed_meaning(texts: Sequence[str], embed: Embed) -> Floats:
    found = embed([text[:_MOST_EMBEDDED] for text in texts]).astype(np.float64)
    return unit(found - found.mean(axis=0))


def _centre(scores: Floats) -> Floats:
    """Without what a question or an answer scores with all, to a deviation of 1."""
    rest = scores - scores.mean(axis=0) - scores.mean(axis=1, keepdims=True) + scores.mean()
    scaled: Floats = rest / max(float(rest.std()), _TINY)
    return scaled


def shares(log_odds: Floats) -> Floats:
    """(n, n): how often row i has the answer j, of rows that begin with their own; the same each time.

    Each pair of rows is looked at about 20 times or more, of more than 120 rows less often; the first quarter
    is not counted."""
    num = len(log_odds)
    if num < 2:  # noqa: PLR2004 - one row keeps its answer
        return np.eye(num)
    steps = int(np.clip(_OF_EACH_PAIR * num * num, _LEAST_STEPS, _MOST_STEPS))
    rng = np.random.default_rng(0)
    firsts, seconds = rng.integers(num, size=(steps, 2)).T
    luck = np.log(rng.random(steps))
    moves = np.flatnonzero(firsts != seconds)  # no row changes places with itself
    begin = int(_NOT_COUNTED * steps)
    odds: list[list[float]] = log_odds.tolist()
    own, since = list(range(num)), [begin] * num
    counts = [[0] * num for _ in own]
    # Columns of plain numbers: a loop over rows of an array, or sums in one, takes twice as long.
    columns = (moves, firsts[moves], seconds[moves], luck[moves])
    for step, i, j, least in zip(*(column.tolist() for column in columns), strict=True):
        a, b = own[i], own[j]
        of_i, of_j = odds[i], odds[j]
        if of_i[b] + of_j[a] - of_i[a] - of_j[b] > least:
            own[i], own[j] = b, a
            if step > begin:
                counts[i][a] += step - since[i]
                counts[j][b] += step - since[j]
                since[i] = since[j] = step
    for i, a in enumerate(own):
        counts[i][a] += steps - since[i]
    return np.array(counts, dtype=np.float64) / (steps - begin)
