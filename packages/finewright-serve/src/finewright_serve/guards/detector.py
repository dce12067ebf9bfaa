"""The injection detector: hashed n-grams of characters and words, weighed by a logistic regression.

    score = sigmoid(bias + w . x)
    x = (tf-idf of 2- to 5-grams of characters, tf-idf of 1- to 3-grams of words)

Each half of x has length 1 and sublinear counts, 1 + log(count) (Manning, Raghavan and Schuetze 2008, 6.4).
N-grams are hashed (Weinberger et al. 2009), so that there is no vocabulary to ship and none to look up. A
text is read as `plain_text` sees through it; a long one is scored as a whole and window by window, and the
highest score counts, because an order of ten words is lost in a page. Needs numpy alone."""

import re
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from zipfile import BadZipFile

from finewright.errors import StoreError
from finewright.schema.common import Model
from finewright.store.atomic import os_errors, read_json, write_bytes, write_json
from finewright_serve.guards.plain_text import hidden_sayings, seen_through

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

BUCKETS = 2**18
"""Of each half: the corpora have some 400,000 different n-grams, of which few decide."""
SHIPPED = Path(__file__).parent / "injection"
_WEIGHTS, _CARD = "weights.npz", "card.json"
_CHARACTERS, _WORDS = (2, 3, 4, 5), (1, 2, 3)
_PRIME = 1_000_003
_TOKEN = re.compile(r"\w+|[^\w\s]")
_BLANK = re.compile(r"\s+")
WINDOW_WORDS, STRIDE_WORDS = 32, 16
"""Of a long text: an order of ten words is a third of one."""


class DetectorCard(Model):
    """What a detector was made of, and what it is known to do. Rates are fractions."""

    made: str
    sources: dict[str, str]
    rows: dict[str, int]
    threshold: float
    threshold_of: str
    figures: Mapping[str, float] = {}


class Features(NamedTuple):
    """The n-grams of a text that are not zero: their buckets, in order, and their values."""

    buckets: "NDArray[np.int64]"
    values: "NDArray[np.float32]"


@dataclass(frozen=True, slots=True)
class Detector:
    """Weights and inverse document frequencies by bucket, the two halves one after the other."""

    weights: "NDArray[np.float32]"
    idf: "NDArray[np.float32]"
    bias: float
    card: DetectorCard

    def score(self, text: str) -> float:
        """How much the text is like an attack, 0 to 1: the highest of itself, its windows and what its
        encoded parts say."""
        import numpy as np

        plain = seen_through(text).text
        margin = max(
            self._margin(part)
            for saying in (plain, *hidden_sayings(plain))
            for part in Hashes.of(saying).parts()
        )
        return float(1 / (1 + np.exp(-margin)))

    def _margin(self, found: Features) -> float:
        values = weighed(found, self.idf).values
        return self.bias + float(self.weights[found.buckets] @ values)


def save_detector(detector: Detector, folder: Path) -> None:
    """Write the weights and the card into a folder."""
    import numpy as np

    with os_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    content = BytesIO()
    np.savez_compressed(
        content,
        bias=np.float64(detector.bias),
        weights=detector.weights.astype(np.float16),
        idf=detector.idf.astype(np.float16),
    )
    write_bytes(folder / _WEIGHTS, content.getvalue())
    write_json(folder / _CARD, detector.card.model_dump())


@cache
def load_detector(folder: Path = SHIPPED) -> Detector:
    """The detector of a folder. Raises StoreError where it is missing or damaged."""
    import numpy as np

    hint = f"make it: finewright guard build --out {folder}"
    for name in (_WEIGHTS, _CARD):
        if not (folder / name).is_file():
            raise StoreError(
                f"{folder / name}: the weights of the injection detector are missing", hint=hint
            )
    card = read_json(folder / _CARD, DetectorCard, hint=hint)
    try:
        content = BytesIO((folder / _WEIGHTS).read_bytes())
        with np.load(content, allow_pickle=False) as stored:
            weights, idf = (stored[name].astype(np.float32) for name in ("weights", "idf"))
            bias = float(stored["bias"])
    except (OSError, EOFError, ValueError, KeyError, BadZipFile):
        weights = idf = np.zeros(0, np.float32)
    if len(weights) != 2 * BUCKETS or len(idf) != 2 * BUCKETS:
        raise StoreError(
            f"{folder / _WEIGHTS}: these are no weights of the injection detector", hint=hint
        )
    return Detector(weights, idf, bias, card)


def windows(num_words: int) -> Iterator[tuple[int, int]]:
    """First and last word of the overlapping parts of a text that is longer than one."""
    if num_words <= WINDOW_WORDS + STRIDE_WORDS:
        return
    for first in range(0, num_words - STRIDE_WORDS, STRIDE_WORDS):
        yield first, min(first + WINDOW_WORDS, num_words) - 1


class Hashes(NamedTuple):
    """A text in lower case with single blanks, hashed once: `characters[n]` and `words[n]` are the buckets of
    all n-grams, by where they begin; `spans` are the places of its words."""

    length: int
    characters: "Mapping[int, NDArray[np.int64]]"
    words: "Mapping[int, NDArray[np.int64]]"
    spans: Sequence[tuple[int, int]]

    @classmethod
    def of(cls, text: str) -> "Hashes":
        """Those of a text."""
        import numpy as np

        lower = _BLANK.sub(" ", f" {text.lower()} ")
        signs = np.frombuffer(lower.encode("utf-32-le", "surrogatepass"), np.uint32)
        matches = list(_TOKEN.finditer(lower))
        words = [zlib.crc32(match[0].encode("utf-8", "surrogatepass")) for match in matches]
        units = np.array(words, np.uint64)
        return cls(
            len(lower),
            {size: _hashed(signs.astype(np.uint64), size) for size in _CHARACTERS},
            {size: _hashed(units, size) + BUCKETS for size in _WORDS},
            [match.span() for match in matches],
        )

    def whole(self) -> Features:
        """The n-grams of all of it."""
        return self._part((0, self.length), (0, len(self.spans)))

    def parts(self) -> Iterator[Features]:
        """The n-grams of the whole, then of each window."""
        yield self.whole()
        for first, last in windows(len(self.spans)):
            characters = (self.spans[first][0], self.spans[last][1])
            yield self._part(characters, (first, last + 1))

    def _part(self, characters: tuple[int, int], words: tuple[int, int]) -> Features:
        import numpy as np

        found = [
            hashes[start : max(start, end - size + 1)]
            for of_size, (start, end) in ((self.characters, characters), (self.words, words))
            for size, hashes in of_size.items()
        ]
        buckets, number = np.unique(np.concatenate(found), return_counts=True)
        return Features(buckets, number.astype(np.float32))


def _hashed(units: "NDArray[np.uint64]", size: int) -> "NDArray[np.int64]":
    """The buckets of all n-grams of that size: a polynomial of the units, mixed (Knuth's multiplier)."""
    import numpy as np

    num = max(0, len(units) - size + 1)
    found = np.full(num, size, np.uint64)
    for offset in range(size):
        found = found * np.uint64(_PRIME) + units[offset : offset + num]
    found = (found * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(64 - 18)
    return found.astype(np.int64)


def weighed(found: Features, idf: "NDArray[np.float32]") -> Features:
    """Counts as tf-idf, each half of length 1."""
    import numpy as np

    values = (1 + np.log(found.values)) * idf[found.buckets]
    middle = int(np.searchsorted(found.buckets, BUCKETS))
    for half in (slice(0, middle), slice(middle, None)):
        length = float(np.sqrt(values[half] @ values[half]))
        if length:
            values[half] /= length
    return Features(found.buckets, values)
