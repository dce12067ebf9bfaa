"""Planted behaviour: what a search without a base model, with the packaged embedder, finds of attacks, and
what it takes of clean sets."""

import random
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bars import Bar
from door_parts.attacks import ATTACKS, Attack, Texts, flipped, planted, swapped
from door_parts.real_sets import is_of_labels, pair, real_sets, said
from finewright.lm.embedders.meaning import meaning
from finewright.schema.poison import PoisonSpec
from finewright_trust.search import search

_SETS = ("mails", "bank", "tool-calls", "sql", "documentation", "natspec-docs", "solidity")
_RATES = (0.01, 0.03)
_CLEAN_LABELS, _CLEAN = 0.005, 0.002
_PRECISION = 0.8
_BARS = {"style": 0.7, "flipped labels": 0.7, "swapped answers": 0.7}
_MAIN = 0.9
_MEANING = meaning(PoisonSpec().embedder, Path.cwd())
_KNOWN: dict[str, NDArray[np.float32]] = {}

Make = Callable[[list[Texts], float, random.Random], Attack]


def bars(sets: Path) -> Iterator[Bar]:
    """Of each set its false alarms; of each attack its recall over all sets, at 1 and 3 % of the rows.

    Style, flipped labels and swapped answers have a bar at 3 % alone. The detectors were made on
    Alpaca, code, Banking77 and SNIPS, and never saw the sets of the registries."""
    tally: dict[tuple[str, float], list[int]] = defaultdict(lambda: [0, 0, 0])
    for name, rows in real_sets(sets, _SETS).items():
        texts = list(dict.fromkeys(map(said, rows)))
        is_labels = is_of_labels(rows)
        wrong = len(_flagged(texts))
        limit = _CLEAN_LABELS if is_labels else _CLEAN
        on = f"{name}: {wrong} of {len(texts)} rows"
        yield Bar("clean rows called planted", wrong / len(texts), limit, at_most=True, on=on)
        for kind, make in _attacks(is_labels).items():
            for rate in _RATES:
                rng = random.Random(f"{name} {kind} {rate}")  # noqa: S311 - no secrets are drawn
                attack = make(texts, rate, rng)
                found = _flagged(attack.texts)
                own = tally[kind, rate]
                for i, n in enumerate(
                    (len(attack.planted), len(found & attack.planted), len(found))
                ):
                    own[i] += n
    for (kind, rate), (total, right, found_in_all) in tally.items():
        on = f"{kind}, {rate:.0%} of the rows: {right} of {total}"
        least = _BARS.get(kind, _MAIN)
        if kind in _BARS and rate < max(_RATES):
            least = 0.0
        yield Bar("planted rows found", right / total, least, on=on)
        if found_in_all:
            yield Bar("precision", right / found_in_all, _PRECISION, on=on)


def _attacks(is_labels: bool) -> dict[str, Make]:
    made: dict[str, Make] = {kind: _drawn(kind) for kind in ATTACKS}
    if is_labels:
        return made | {"flipped labels": flipped}
    return made | {"swapped answers": swapped}


def _drawn(kind: str) -> Make:
    return lambda texts, rate, rng: planted(texts, ATTACKS[kind](rng), rate, rng)


def _embed(texts: Sequence[str]) -> NDArray[np.float32]:
    """What the texts mean; most stand in each of a set's searches."""
    new = [text for text in dict.fromkeys(texts) if text not in _KNOWN]
    if new and _MEANING:
        _KNOWN.update(zip(new, _MEANING(new), strict=True))
    return np.stack([_KNOWN[text] for text in texts])


def _flagged(texts: list[Texts]) -> set[int]:
    rows = [pair(*text, i + 1) for i, text in enumerate(texts)]
    return set(search(rows, embed=_embed).why)
