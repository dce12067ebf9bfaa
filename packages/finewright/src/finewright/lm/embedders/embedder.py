"""What turns texts into vectors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray


class Embedder(Protocol):
    """Texts to vectors of length 1. `id` names the model and its content: an index is only searched with
    the embedder it was made by. `num_cut` counts the texts so far that were longer than it reads."""

    id: str
    dimensions: int
    num_cut: int

    def documents(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """(n, dimensions), as passages are embedded."""

    def queries(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """(n, dimensions), as questions are embedded."""
