"""The injection detector made of its corpora, and its threshold set by harmless texts.

Two fits. The first learns from six sevenths of the packages' texts and 70 % of the phrases; its scores of the
harmless rest give the threshold. The second learns from everything and is what ships: a threshold set on
texts that were learned from would be too low."""

import random
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple

from finewright import plugins
from finewright.errors import DataError, MissingExtra
from finewright_serve.guards.corpora import (
    COMPOSED,
    Kind,
    LabelledText,
    composed_texts,
    corpora,
    packaged_texts,
    phrases,
)
from finewright_serve.guards.detector import (
    BUCKETS,
    Detector,
    DetectorCard,
    Features,
    Hashes,
    weighed,
)
from finewright_serve.guards.plain_text import seen_through

SEED = 7
_HELD_OUT = 7
"""One in so many texts of the packages sets the threshold."""
_KEPT_PHRASES = 0.7
_FEWEST_PHRASES = 8
"""Of a slot whose parts are split; a shorter one would leave nothing to draw from."""
_REGULARISATION = 10.0
"""C of the logistic regression: on phrases held out 3, 10 and 30 gave the same recall to 2 points."""
_MOST_WINDOWS = 2
"""Windows of a long harmless text that are learned from: an attack must not be told by being short."""
FALSE_ALARMS = 0.03
"""Share of the harmless texts above the threshold: what users of a chat are taken to bear."""

Phrases = Mapping[Kind, Mapping[str, Sequence[str]]]


class _Parts(NamedTuple):
    learned: list[LabelledText]
    held_out: list[LabelledText]


def build(today: str) -> Detector:
    """The detector. Takes one to two minutes of one core. Raises MissingExtra and FetchError."""
    _require_sklearn()
    packaged = packaged_texts()
    count = cache(_counts)  # most texts are in both fits
    first = _split(packaged)
    trial = _fit(first.learned, _card(today, first.learned, 0.5, ""), count)
    harmless = [trial.score(each.text) for each in first.held_out if not each.is_attack]
    attacks = [trial.score(each.text) for each in first.held_out if each.is_attack]
    threshold = conformal_threshold(harmless, FALSE_ALARMS)
    caught = sum(score > threshold for score in attacks) / len(attacks)
    whole = [*packaged, *_composed(phrases(), COMPOSED, SEED)]
    card = _card(
        today,
        whole,
        threshold,
        f"{FALSE_ALARMS:.0%} of {len(harmless)} harmless texts and phrases that the first fit had not seen",
    )
    figures = {"attacks of the held-out part found by the first fit": round(caught, 3)}
    return _fit(whole, card.model_copy(update={"figures": figures}), count)


def conformal_threshold(scores: Sequence[float], alpha: float) -> float:
    """The score above which at most a share `alpha` of texts like these lies, in expectation, whatever their
    distribution: the ceil((n + 1)(1 - alpha))-th smallest (Vovk et al. 2005; Angelopoulos and Bates 2023,
    1.1).

    Raises DataError where there are too few for that share."""
    import math

    rank = math.ceil((len(scores) + 1) * (1 - alpha))
    if rank > len(scores):
        fewest = math.ceil(1 / alpha) - 1
        raise DataError(
            f"{len(scores)} harmless texts are too few for a share of {alpha:g} flagged: it takes {fewest}",
            hint="bring more, or allow more to be flagged",
        )
    return sorted(scores)[rank - 1]


def _require_sklearn() -> None:
    from importlib.util import find_spec

    if find_spec("sklearn") is None:
        hint = plugins.install_command("serve[guards]")
        raise MissingExtra("making the detector needs scikit-learn", hint=hint)


def _split(packaged: Sequence[LabelledText]) -> _Parts:
    kept, others = _split_phrases(phrases())
    learned = [each for each in packaged if zlib.crc32(each.text.encode()) % _HELD_OUT]
    held_out = [each for each in packaged if not zlib.crc32(each.text.encode()) % _HELD_OUT]
    learned += _composed(kept, COMPOSED, SEED)
    held_out += _composed(
        others, {kind: number // _HELD_OUT for kind, number in COMPOSED.items()}, SEED
    )
    return _Parts(learned, held_out)


def _composed(of: Phrases, numbers: Mapping[str, int], seed: int) -> list[LabelledText]:
    rng = random.Random(seed)  # noqa: S311 - no secret
    return [
        text
        for kind, slots in of.items()
        for text in composed_texts(kind, numbers[kind], slots, rng)
    ]


def _split_phrases(of: Phrases) -> tuple[Phrases, Phrases]:
    rng = random.Random(SEED)  # noqa: S311 - no secret
    kept: dict[Kind, dict[str, Sequence[str]]] = {}
    others: dict[Kind, dict[str, Sequence[str]]] = {}
    for kind, slots in of.items():
        kept[kind], others[kind] = dict(slots), dict(slots)
        for name, parts in slots.items():
            if name != "forms" and len(parts) >= _FEWEST_PHRASES:
                mixed = rng.sample(parts, len(parts))
                cut = int(len(mixed) * _KEPT_PHRASES)
                kept[kind][name], others[kind][name] = mixed[:cut], mixed[cut:]
    return kept, others


def _card(
    today: str, texts: Sequence[LabelledText], threshold: float, threshold_of: str
) -> DetectorCard:
    rows: dict[str, int] = {}
    for each in texts:
        key = f"{each.source} ({'attacks' if each.is_attack else 'harmless'})"
        rows[key] = rows.get(key, 0) + 1
    sources = {
        f"{package.name} {package.version}": f"{package.license}; sha256:{package.sha256}"
        for package in corpora().packages
    }
    return DetectorCard(
        made=today, sources=sources, rows=rows, threshold=threshold, threshold_of=threshold_of
    )


def _fit(
    texts: Sequence[LabelledText], card: DetectorCard, count: Callable[[str], list[Features]]
) -> Detector:
    import numpy as np
    from sklearn.linear_model import LogisticRegression

    examples = list(_examples(texts, count))
    found = [features for features, _ in examples]
    labels = np.array([label for _, label in examples])
    frequency = np.bincount(np.concatenate([each.buckets for each in found]), minlength=2 * BUCKETS)
    idf = (np.log((1 + len(found)) / (1 + frequency)) + 1).astype(np.float32)
    matrix = _matrix([weighed(each, idf) for each in found])
    # The dual has 20,000 unknowns, the primal 500,000.
    model = LogisticRegression(
        C=_REGULARISATION,
        solver="liblinear",
        dual=True,
        class_weight="balanced",
        random_state=SEED,
        max_iter=1000,
    ).fit(matrix, labels)
    # Half precision is what is stored: the threshold is of the weights that ship.
    weights = model.coef_[0].astype(np.float16).astype(np.float32)
    return Detector(
        weights, idf.astype(np.float16).astype(np.float32), float(model.intercept_[0]), card
    )


def _counts(text: str) -> list[Features]:
    """The n-grams of a text as the detector reads it, then of some of its windows."""
    whole, *parts = Hashes.of(seen_through(text).text).parts()
    rng = random.Random(SEED)  # noqa: S311 - no secret
    return [whole, *rng.sample(parts, min(_MOST_WINDOWS, len(parts)))]


def _examples(
    texts: Sequence[LabelledText], count: Callable[[str], list[Features]]
) -> Iterator[tuple[Features, bool]]:
    for each in texts:
        whole, *parts = count(each.text)
        yield whole, each.is_attack
        if not each.is_attack:
            yield from ((part, False) for part in parts)


def _matrix(rows: Sequence[Features]) -> Any:  # Any: scipy has no types
    import numpy as np
    from scipy.sparse import csr_matrix

    starts = np.cumsum([0, *(len(each.buckets) for each in rows)])
    values = np.concatenate([each.values for each in rows])
    buckets = np.concatenate([each.buckets for each in rows])
    return csr_matrix((values, buckets, starts), shape=(len(rows), 2 * BUCKETS))
