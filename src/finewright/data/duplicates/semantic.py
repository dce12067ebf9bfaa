"""Rows that mean the same, by static word embeddings that ship in a wheel: no model hub, no network.

As SemDeDup (Abbas et al. 2023) with two deviations: every pair is compared, in blocks, instead of those of
one k-means cluster, and questions and answers are compared apart. The work grows with the square of
the rows: for tens of thousands of them, not millions. A mean of word vectors hardly sees word order,
negation or numbers, so the bar is high, and a template with other facts is another row here too."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from finewright.data.duplicates.alike import have_other_facts
from finewright.data.duplicates.groups import Kept, leaders
from finewright.data.duplicates.words import parts_of, wordings
from finewright.errors import MissingExtra
from finewright.schema.rows import Row

_DIMENSIONS = 256
_CELLS = 1 << 24


def semantic_repeats(rows: Sequence[Row], similarity: float) -> dict[int, Kept]:
    """Place of each row that means what an earlier row which stays means -> that row.

    The lower one of the two cosines, of the questions and of the answers, is at least `similarity`."""
    worded = wordings(rows)
    parts = [parts_of(row) for row in rows]
    asked, answered = (
        embedded(["\n".join(texts) for texts in side])
        for side in ((part.asked for part in parts), (part.answered for part in parts))
    )

    def near(earlier: int, later: int) -> float | None:
        one, other = worded[earlier], worded[later]
        cosine = float(min(v[earlier] @ v[later] for v in (asked, answered)))
        facts = [[*w.asked.tolist(), *w.answered.tolist()] for w in (one, other)]
        is_near = cosine >= similarity and one.key == other.key and not have_other_facts(*facts)
        return cosine if is_near else None

    return leaders(_close(asked, answered, similarity), near)


def embedded(texts: Sequence[str]) -> NDArray[np.float32]:
    """A vector of length 1 for each text; of texts without a word, one and the same."""
    try:
        import wordllama
    except ImportError:
        raise MissingExtra(
            "semantic duplicates need wordllama", hint='pip install "finewright[data]"'
        ) from None
    # It looks for its tokenizer beside the cache folder's other name unless told where it is.
    model = wordllama.WordLlama.load(
        dim=_DIMENSIONS, cache_dir=Path(wordllama.__file__).parent, disable_download=True
    )
    # A batch is as long as its longest text, so texts of a length go together.
    order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
    vectors = np.empty((len(texts), _DIMENSIONS), np.float32)
    vectors[order] = model.embed([texts[i] for i in order], norm=False)
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    vectors[lengths[:, 0] == 0] = 1.0
    unit: NDArray[np.float32] = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return unit


def _close(
    asked: NDArray[np.float32], answered: NDArray[np.float32], similarity: float
) -> Iterator[tuple[int, int]]:
    """Pairs (earlier, later) near in both, sorted by the later one."""
    num_rows = len(asked)
    block = max(1, _CELLS // max(1, num_rows))
    for start in range(0, num_rows, block):
        end = min(start + block, num_rows)
        near = (asked[start:end] @ asked[:end].T >= similarity) & (
            answered[start:end] @ answered[:end].T >= similarity
        )
        for later, earlier in np.argwhere(near):
            if earlier < start + later:
                yield int(earlier), int(start + later)
