"""A classifier without a language model: logistic regression on the words of a question.

Features: words, and pairs of neighbouring words that two rows have, weighed tf-idf with
idf = 1 + ln((1 + n) / (1 + df)), each row of length 1 (Salton & Buckley 1988; the idf smoothed as in
scikit-learn). Classifier: multinomial logistic regression, the minimum of
sum of -log p(label | words) + |W|^2 / (2 C),  C = 10, the intercepts free, by L-BFGS (Liu & Nocedal 1989). It
is convex, so the answer does not depend on chance; C is fixed, so nothing was chosen on the rows that
measure. Not covered: meaning beyond words, and the system's turn."""

import math
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from random import Random

import torch
from torch import Tensor

from finewright.judge.searchable import words

_C = 10.0
_MOST_STEPS = 200
_MOST_FEATURES = 50_000
# Weights, and cells of rows by labels: what L-BFGS keeps of them stays below a GiB.
_MOST_CELLS = 4_000_000


@dataclass(frozen=True, slots=True)
class BagOfWords:
    """The classifier, and what it took to make it: rows used, and seconds."""

    labels: tuple[str, ...]
    places: dict[str, int]
    idf: Tensor
    weights: Tensor
    num_rows: int
    seconds: float

    def answers(self, texts: Sequence[str]) -> list[str]:
        """The likeliest label of each text."""
        logits = _logits(_matrix(texts, self.places, self.idf), self.weights)
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
    most = _MOST_CELLS // len(labels)
    used = _choose_texts(len(texts), most, seed)
    texts, answers = [texts[i] for i in used], [answers[i] for i in used]
    counts = _commonest(texts, min(_MOST_FEATURES, most))
    places = {term: i for i, term in enumerate(counts)}
    idf = torch.tensor(
        [1 + math.log((1 + len(texts)) / (1 + count)) for count in counts.values()],
        dtype=torch.float64,
    )
    codes = {name: i for i, name in enumerate(labels)}
    truth = torch.tensor([codes[answer] for answer in answers])
    weights = _alone(lambda: _fit(_matrix(texts, places, idf), truth, len(labels), tolerance))
    return BagOfWords(labels, places, idf, weights, len(texts), time.perf_counter() - began)


def _alone(work: Callable[[], Tensor]) -> Tensor:
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


def _logits(matrix: Tensor, weights: Tensor) -> Tensor:
    """The last row of the weights are the intercepts."""
    scores: Tensor = torch.sparse.mm(matrix, weights[:-1])
    return scores + weights[-1]


@torch.no_grad()
def _fit(matrix: Tensor, truth: Tensor, num_labels: int, tolerance: float) -> Tensor:
    num_rows, num_features = matrix.shape
    weights = torch.zeros(num_features + 1, num_labels, dtype=torch.float64)
    transposed = matrix.t().coalesce()
    optimizer = torch.optim.LBFGS(
        [weights],
        max_iter=_MOST_STEPS,
        history_size=5,
        tolerance_grad=tolerance,
        tolerance_change=1e-9,
        line_search_fn="strong_wolfe",
    )

    def loss() -> Tensor:
        logp = _logits(matrix, weights).log_softmax(dim=1)
        of_truth = logp.gather(1, truth[:, None])
        slope = logp.exp().scatter_add(1, truth[:, None], -torch.ones_like(of_truth)) / num_rows
        penalty = weights[:-1] / (_C * num_rows)
        weights.grad = torch.cat(
            [torch.sparse.mm(transposed, slope) + penalty, slope.sum(dim=0, keepdim=True)]
        )
        return -of_truth.mean() + 0.5 * (penalty * weights[:-1]).sum()

    optimizer.step(loss)  # type: ignore[no-untyped-call]
    return weights
