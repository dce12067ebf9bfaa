"""Rows that mean the same, by static word embeddings that ship in a wheel: no model hub, no network.

As SemDeDup (Abbas et al. 2023) with two deviations: every pair is compared, in blocks, instead of those of
one k-means cluster, and questions and answers are compared apart. The work grows with the square of
the rows: for tens of thousands of them, not millions. A mean of word vectors hardly sees word order,
negation or numbers, so the bar is high, and a template with other facts is another row here too."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from finewright.guard.duplicates.contrast import difference
from finewright.guard.duplicates.groups import Original, leaders
from finewright.guard.duplicates.words import wordings
from finewright.rag.embed import words
from finewright.schema.rows import RowParts

_CELLS = 1 << 24


def semantic_repeats(rows: Sequence[RowParts], similarity: float) -> dict[int, Original]:
    """Place of each row that means what an earlier row which stays means -> that row.

    The lower one of the two cosines, of the questions and of the answers, is at least `similarity`."""
    worded = wordings(rows)
    embedder = words.load()
    prompts, answered = (
        embedder.documents(["\n".join(texts) for texts in side])
        for side in ((row.prompt for row in rows), (row.answered for row in rows))
    )

    def near(earlier: int, later: int) -> float | None:
        one, other = worded[earlier], worded[later]
        cosine = float(min(v[earlier] @ v[later] for v in (prompts, answered)))
        if cosine < similarity or one.key != other.key:
            return None
        parts = zip(one.parts, other.parts, strict=True)
        spelled = (one.spelled, other.spelled)
        is_other = any(difference(a, b, *spelled).is_contrast for a, b in parts)
        return None if is_other else cosine

    return leaders(_close(prompts, answered, similarity), near).found


def _close(
    prompts: NDArray[np.float32], answered: NDArray[np.float32], similarity: float
) -> Iterator[tuple[int, int]]:
    """Pairs (earlier, later) near in both, sorted by the later one."""
    num_rows = len(prompts)
    block = max(1, _CELLS // max(1, num_rows))
    for start in range(0, num_rows, block):
        end = min(start + block, num_rows)
        near = (prompts[start:end] @ prompts[:end].T >= similarity) & (
            answered[start:end] @ answered[:end].T >= similarity
        )
        for later, earlier in np.argwhere(near):
            if earlier < start + later:
                yield int(earlier), int(start + later)
