"""A classifier without a language model: logistic regression on a text's words or vector; with other losses
one for each of several labels, and ridge regression.

Words: words, and pairs of neighbouring words that two rows have, weighed tf-idf with
idf = 1 + ln((1 + n) / (1 + df)), each row of length 1 (Salton & Buckley 1988; the idf smoothed as in
scikit-learn). Classifier: multinomial logistic regression, the minimum of
sum of -log p(label | words) + |W|^2 / (2 C),  C = 10, the intercepts free, by L-BFGS (Liu & Nocedal 1989); of
scores C = 1. It is convex, so the answer does not depend on chance; C is fixed, so nothing was chosen on the
rows that measure. Not covered: meaning beyond words, where there are only words, and the system's turn."""

import math
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from random import Random
from typing import NamedTuple

import torch
from torch import Tensor

from finewright.judge.searchable import words

DEFAULT_C = 10.0
"""Weak: what a word or a direction says of a label is mostly kept; sums over all rows, as in scikit-learn."""
_MOST_STEPS = 200
_MOST_FEATURES = 50_000
# Weights, and cells of rows by labels: what L-BFGS keeps of them stays below a GiB.
_MOST_CELLS = 4_000_000


@dataclass(frozen=True, slots=True)
class WordFeatures:
    """The terms that are known, each with its column, and their idf, (F,)."""

    places: dict[str, int]
    idf: Tensor

    @staticmethod
    def learn(texts: Sequence[str], most: int = _MOST_FEATURES) -> "WordFeatures":
        """The commonest terms of the texts, at most so many."""
        counts = _commonest(texts, most)
        idf = [1 + math.log((1 + len(texts)) / (1 + count)) for count in counts.values()]
        places = {term: i for i, term in enumerate(counts)}
        return WordFeatures(places, torch.tensor(idf, dtype=torch.float64))

    def matrix(self, texts: Sequence[str]) -> Tensor:
        """(n, F), sparse, each row of length 1; a row of unknown words is empty."""
        return _matrix(texts, self.places, self.idf)


@dataclass(frozen=True, slots=True)
class BagOfWords:
    """The classifier, and what it took to make it: rows used, and seconds."""

    labels: tuple[str, ...]
    words: WordFeatures
    weights: Tensor
    num_rows: int
    seconds: float

    def answers(self, texts: Sequence[str]) -> list[str]:
        """The likeliest label of each text."""
        logits = compute_logits([self.words.matrix(texts)], self.weights)
        return [self.labels[int(i)] for i in logits.argmax(dim=1)]


def _commonest(texts: Sequence[str], most: int) -> dict[str, int]:
    """The terms that most texts have -> how many do.

    A pair of words that one row alone has tells nothing of others, and most pairs are such."""
    counts = Counter(term for text in texts for term in set(_terms(text)))
    known = [term for term, count in counts.items() if count > 1 or " " not in term]
    kept = sorted(known, key=lambda term: (-counts[term], term))[:most]
    return {term: counts[term] for term in kept}


def _choose_texts(number: int, most: int, seed: int) -> Sequence[int]:
    """Which texts are learned from: all, or as many as may be, drawn."""
    if number <= most:
        return range(number)
    return sorted(Random(seed).sample(range(number), most))  # noqa: S311 - a draw, no secret


def fit(
    texts: Sequence[str], answers: Sequence[str], *, seed: int = 0, tolerance: float = 1e-4
) -> BagOfWords:
    """Learn the labels of texts, until no slope of the mean loss is above `tolerance`.

    Of very many rows, so many are drawn by the seed as fit in memory."""
    began = time.perf_counter()
    labels = tuple(sorted(set(answers)))
    used = choose_rows(len(texts), len(labels), seed)
    texts, answers = [texts[i] for i in used], [answers[i] for i in used]
    words = WordFeatures.learn(texts, most_terms(len(labels)))
    truth = codes_of(answers, labels)
    weights = fit_weights([words.matrix(texts)], truth, len(labels), tolerance=tolerance).weights
    return BagOfWords(labels, words, weights, len(texts), time.perf_counter() - began)


def codes_of(answers: Sequence[str], labels: Sequence[str]) -> Tensor:
    """The place of each answer among the labels, (n,)."""
    codes = {name: i for i, name in enumerate(labels)}
    return torch.tensor([codes[answer] for answer in answers])


def most_terms(num_labels: int) -> int:
    """How many terms may have a weight for each label."""
    return min(_MOST_FEATURES, _MOST_CELLS // num_labels)


def choose_rows(num_rows: int, num_labels: int, seed: int) -> Sequence[int]:
    """The places of the rows that are learned from: all, or as many as fit in memory, drawn."""
    return _choose_texts(num_rows, _MOST_CELLS // num_labels, seed)


def _alone(work: Callable[[], "Fit"]) -> "Fit":
    """On one thread: the products are small, and threads that wait for each other on a busy machine made it
    twenty times slower."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return work()
    finally:
        torch.set_num_threads(threads)


def _terms(text: str) -> list[str]:
    found = words(text)
    return found + [f"{one} {other}" for one, other in pairwise(found)]


def _matrix(texts: Sequence[str], places: dict[str, int], idf: Tensor) -> Tensor:
    """Rows by features, sparse, each row of length 1; a row of unknown words is empty."""
    rows: list[int] = []
    columns: list[int] = []
    values: list[float] = []
    for row, text in enumerate(texts):
        counts = Counter(places[term] for term in _terms(text) if term in places)
        weighed = {place: count * float(idf[place]) for place, count in counts.items()}
        length = math.sqrt(math.fsum(value * value for value in weighed.values()))
        rows += [row] * len(weighed)
        columns += weighed
        values += [value / length for value in weighed.values()]
    size = (len(texts), len(places))
    return torch.sparse_coo_tensor(
        torch.tensor([rows, columns], dtype=torch.long).reshape(2, -1),
        torch.tensor(values, dtype=torch.float64),
        size,
        check_invariants=True,
    ).coalesce()


def compute_logits(blocks: Sequence[Tensor], weights: Tensor) -> Tensor:
    """(n, K) of feature matrices side by side; the last row of the weights are the intercepts."""
    logits, start = weights[-1], 0
    for block in blocks:
        part = weights[start : start + block.shape[1]]
        logits = logits + (torch.sparse.mm(block, part) if block.is_sparse else block @ part)
        start += block.shape[1]
    return logits


class Fit(NamedTuple):
    """The weights, (features + 1, K), the mean loss of the rows with them, and how often it was computed."""

    weights: Tensor
    loss: float
    evaluations: int


class Loss(NamedTuple):
    """The mean loss of rows with these logits, and its slope, (n, K)."""

    value: Tensor
    slope: Tensor


def softmax_loss(logits: Tensor, truth: Tensor) -> Loss:
    """-log p(label); `truth` are the labels' places, (n,)."""
    logp = logits.log_softmax(dim=1)
    of_truth = logp.gather(1, truth[:, None])
    slope = logp.exp().scatter_add(1, truth[:, None], -torch.ones_like(of_truth)) / len(truth)
    return Loss(-of_truth.mean(), slope)


def sigmoid_loss(logits: Tensor, truth: Tensor) -> Loss:
    """The sum over labels of -log p(has it or not), each label by itself; `truth` is 0 or 1, (n, K)."""
    losses = torch.nn.functional.softplus(logits) - truth * logits
    return Loss(losses.sum(dim=1).mean(), (logits.sigmoid() - truth) / len(truth))


def squared_loss(logits: Tensor, truth: Tensor) -> Loss:
    """Half the squared error, summed over columns: ridge regression with alpha = 1 / C."""
    off = logits - truth
    return Loss(0.5 * off.square().sum(dim=1).mean(), off / len(truth))


LossOf = Callable[[Tensor, Tensor], Loss]


def fit_weights(
    blocks: Sequence[Tensor],
    truth: Tensor,
    num_columns: int,
    *,
    c: float = DEFAULT_C,
    tolerance: float = 1e-4,
    loss_of: LossOf = softmax_loss,
) -> Fit:
    """Minimise the penalised loss over rows of feature matrices that stand side by side, in float64."""
    return _alone(lambda: _fit(blocks, truth, num_columns, c, tolerance, loss_of))


@torch.no_grad()
def _fit(
    blocks: Sequence[Tensor],
    truth: Tensor,
    num_columns: int,
    c: float,
    tolerance: float,
    loss_of: LossOf,
) -> Fit:
    num_rows, num_features = len(truth), sum(block.shape[1] for block in blocks)
    weights = torch.zeros(num_features + 1, num_columns, dtype=torch.float64)
    transposed = [block.t().coalesce() if block.is_sparse else block.t() for block in blocks]
    optimizer = torch.optim.LBFGS(
        [weights],
        max_iter=_MOST_STEPS,
        history_size=5,
        tolerance_grad=tolerance,
        tolerance_change=1e-9,
        line_search_fn="strong_wolfe",
    )
    losses: list[float] = []

    def loss() -> Tensor:
        value, slope = loss_of(compute_logits(blocks, weights), truth)
        penalty = weights[:-1] / (c * num_rows)
        slopes = [torch.sparse.mm(t, slope) if t.is_sparse else t @ slope for t in transposed]
        intercepts = slope.sum(dim=0, keepdim=True)
        weights.grad = torch.cat([torch.cat(slopes) + penalty, intercepts])
        losses.append(float(value))
        return value + 0.5 * (penalty * weights[:-1]).sum()

    optimizer.step(loss)  # type: ignore[no-untyped-call]
    return Fit(weights, min(losses), len(losses))


NUM_FOLDS = 5
"""As scikit-learn's CalibratedClassifierCV has it: each fit sees four fifths of the rows."""


def logits_out_of_fold(
    blocks: Sequence[Tensor], truth: Tensor, seed: int, *, c: float, loss_of: LossOf
) -> Tensor:
    """(n, K): the logits of each row by a fit that has not seen it; `truth` is (n, K)."""
    found = torch.empty_like(truth)
    order = Random(seed).sample(range(len(truth)), len(truth))  # noqa: S311 - a draw, no secret
    for fold in range(NUM_FOLDS):
        places = [torch.tensor(sorted(order[fold::NUM_FOLDS]))]
        places.append(torch.tensor(sorted({*order} - {*order[fold::NUM_FOLDS]})))
        out, inside = ([block.index_select(0, p) for block in blocks] for p in places)
        fit = fit_weights(inside, truth[places[1]], truth.shape[1], c=c, loss_of=loss_of)
        found[places[0]] = compute_logits(out, fit.weights)
    return found
