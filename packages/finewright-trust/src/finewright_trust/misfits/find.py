"""All rows of a set that do not fit, and what of their kind could be found there at all.

Sets of more than 2,000 rows are looked at in parts, each row beside rows from all of the file.

Pairs whose chosen and rejected answer changed places, by what the other pairs prefer: words, meaning,
length, form, and how far an answer takes up its question."""

import re
from collections.abc import Callable, Iterator, Sequence
from hashlib import sha256
from math import log
from typing import Literal, NamedTuple, TypeVar

import numpy as np

from finewright.guard.quality.code import code_part
from finewright.guard.quality.refusals import refuses
from finewright.lm.embedders.meaning import Embed
from finewright.schema.rows import PairTexts, RowTexts
from finewright_trust.misfits.answers import find_exchanged_answers
from finewright_trust.misfits.labels import Taught, labelling, teach
from finewright_trust.misfits.likeness import Floats, regressions, vectors
from finewright_trust.misfits.odds import Odds, fit_odds

_ITEM = re.compile(r"^\s*(?:\d+[.)]|[-*•])\s", re.M)


_TINY = 1e-9


MOST_IN_PART = 2000
_MOST_ROWS = 20_000
_LEAST_ROWS = 50
# Where less would be found, too many of the few that are found are right as they stand.
_LEAST_POWER = 0.3
_WORDS_TELL = 0.7

MisfitKind = Literal["label", "pair", "answer"]


class Misfit(NamedTuple):
    """A row (its place) whose label, preference or answer is not its own with that chance, and what speaks
    against it."""

    row: int
    chance: float
    says: str


class Misfits(NamedTuple):
    """Rows of one kind, the surest first; how many were looked at, and the share that would be found of
    such rows, were 3 % of the rows such: 0 where the set does not tell."""

    kind: MisfitKind
    found: tuple[Misfit, ...]
    num_rows: int
    power: float


class Labelled(NamedTuple):
    """The place of a row, what its label is given to, and the label."""

    row: int
    text: str
    label: str


def wrong_labels(
    labelled: Sequence[Labelled], embed: Embed | None = None, known: Taught | None = None
) -> Misfits | None:
    """Rows whose label the other rows would not give; None where there are too few rows or one label.

    `known`: what all of them teach by their words, where somebody has asked before."""

    def part(own: Sequence[Labelled]) -> tuple[Odds, Callable[[int], str]]:
        texts, labels = [row.text for row in own], [row.label for row in own]
        by_words = known if known and len(own) == len(labelled) else teach(texts, labels)
        said = labelling(by_words, texts, embed)
        return said.odds, lambda i: f"{own[i].label}; the other rows say {said.likeliest[i]}"

    is_one = len({row.label for row in labelled}) < 2  # noqa: PLR2004 - one label is none
    return None if is_one else _misfits("label", labelled, part)


def read_ratings(rows: Sequence[RowTexts]) -> list[Labelled]:
    """Rows that are liked or disliked, with what is asked and answered."""
    return [
        Labelled(i, _all_said(row), "liked" if row.label else "disliked")
        for i, row in enumerate(rows)
        if row.label is not None
    ]


def _all_said(row: RowTexts) -> str:
    return "\n".join([row.before, *(answer.text for answer in row.answers[-1:])])


class _Pair(NamedTuple):
    row: int
    texts: PairTexts


def find_reversed_pairs(rows: Sequence[RowTexts]) -> Misfits | None:
    """Pairs whose preference the other pairs would turn round; None where there are too few."""
    pairs = [_Pair(i, row.pair) for i, row in enumerate(rows) if row.pair is not None]

    def part(own: Sequence[_Pair]) -> tuple[Odds, Callable[[int], str]]:
        odds = preferences([pair.texts for pair in own])
        return odds, lambda i: own[i].texts.chosen

    return _misfits("pair", pairs, part)


class QuestionWithAnswer(NamedTuple):
    """The place of a row, what it asks, and what it answers in words of its own."""

    row: int
    prompt: str
    answer: str


def find_exchanged(
    rows: Sequence[QuestionWithAnswer], embed: Embed | None = None
) -> Misfits | None:
    """Rows whose answer belongs to another row of their part; None where there are too few.

    What they mean is asked where words would find less than seven of ten. The same rows in another order say
    the same: parts and trials go by what is in them."""
    if len(rows) < _LEAST_ROWS:
        return None
    rows = sorted(rows, key=_digest)
    found: list[Misfit] = []
    powers: list[float] = []
    for own in parts(rows):
        texts = [row.prompt for row in own], [row.answer for row in own]
        answers = find_exchanged_answers(*texts)
        if embed and answers.power < _WORDS_TELL:
            answers = find_exchanged_answers(*texts, embed)
        is_known = answers.power >= _LEAST_POWER
        # A partner in another part is not seen.
        powers.append(answers.power * len(own) / len(rows) if is_known else 0.0)
        if is_known:
            for i, partner, chance in answers.exchanged:
                says = f"{own[i].answer[:40]} ...; belongs with: {own[partner].prompt}"
                found.append(Misfit(own[i].row, chance, says))
    return _of_parts("answer", found, powers, len(rows))


def _digest(row: QuestionWithAnswer) -> bytes:
    return sha256(f"{row.prompt}\0{row.answer}".encode(errors="surrogatepass")).digest()


_Item = TypeVar("_Item", Labelled, _Pair, QuestionWithAnswer)


def _misfits(
    kind: MisfitKind,
    items: Sequence[_Item],
    look: Callable[[Sequence[_Item]], tuple[Odds, Callable[[int], str]]],
) -> Misfits | None:
    """What `look` says of parts of the items: the odds, and what speaks against one."""
    if len(items) < _LEAST_ROWS:
        return None
    found: list[Misfit] = []
    powers: list[float] = []
    num_rows = 0
    for part in parts(items):
        num_rows += len(part)
        odds, says = look(part)
        power = odds.would_be_found()
        powers.append(power if power >= _LEAST_POWER else 0.0)
        if powers[-1]:
            found += (Misfit(part[i].row, float(odds.not_own[i]), says(i)) for i in odds.accuse())
    return _of_parts(kind, found, powers, num_rows)


def _of_parts(
    kind: MisfitKind, found: list[Misfit], powers: Sequence[float], num_rows: int
) -> Misfits:
    found.sort(key=lambda misfit: (-misfit.chance, misfit.row))
    return Misfits(kind, tuple(found), num_rows, sum(powers) / len(powers))


def parts(items: Sequence[_Item]) -> Iterator[Sequence[_Item]]:
    """Parts of at most 2,000 items, of 20,000 in all, each with items from everywhere."""
    looked_at = items[:: -(-len(items) // _MOST_ROWS)][:_MOST_ROWS]
    num = -(-len(looked_at) // MOST_IN_PART)
    for first in range(num):
        yield looked_at[first::num]


def preferences(pairs: Sequence[PairTexts]) -> Odds:
    """How likely each pair's direction is, with the pair left out; choice 0 is the direction as it stands."""
    num = len(pairs)
    texts = [p.chosen for p in pairs] + [p.rejected for p in pairs] + [p.prompt for p in pairs]
    rows = vectors(texts).astype(np.float64)
    chosen, rejected, questions = rows[:num], rows[num : 2 * num], rows[2 * num :]
    related = np.stack([(chosen * questions).sum(1), (rejected * questions).sum(1)])
    forms = np.array([_form(text) for text in texts[: 2 * num]])
    forms = np.column_stack([forms, related.reshape(-1)])
    forms = (forms - forms.mean(axis=0)) / np.maximum(forms.std(axis=0), _TINY)
    kernel = _scale(chosen - rejected) + _scale(forms[:num] - forms[num:])
    left_out = [found.without_each() for found in regressions(kernel, np.ones((num, 1)))]
    scores = (np.hstack([x, -x]) / max(float(x.std()), _TINY) for x in left_out)
    return fit_odds(scores, np.zeros(num, np.int64))


def _scale(rows: Floats) -> Floats:
    """Their products, to a mean of 1 of a row with itself."""
    kernel: Floats = rows @ rows.T
    return kernel / max(float(np.trace(kernel)) / len(rows), _TINY)


def _form(text: str) -> list[float]:
    """Length, lines, lists, code, signs, refusal, capitals, repetition."""
    own = text.split()
    num = max(1, len(own))
    return [
        log(1 + len(text)),
        log(1 + text.count("\n")),
        log(1 + len(_ITEM.findall(text))),
        code_part(text),
        "?" in text,
        "!" in text,
        bool(refuses(text)),
        len(set(own)) / num,
        text.count(",") / num,
        sum(map(str.isupper, text)) / max(1, len(text)),
        text.strip()[-1:] in set(".!?\"'`)\u3002\uff01\uff1f"),
    ]
