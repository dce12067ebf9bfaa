"""The embedder that says what rows mean: loaded when a set first needs it."""

from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from finewright.lm.embedders.embedder import Embedder
from finewright.lm.embedders.load import NONE, load_embedder

Embed = Callable[[Sequence[str]], NDArray[np.float32]]
"""Texts to vectors of length 1, (n, dimensions)."""


def meaning(name: str, root: Path) -> Embed | None:
    """What `data.poison.embedder` names, to be called with texts; None for "none".

    The call raises UnknownPlugin, ModelError, FetchError or MissingExtra where it cannot be loaded."""

    @cache
    def embedder() -> Embedder:
        found = load_embedder(name, lambda folder: root / folder)
        assert found is not None
        return found

    def embed(texts: Sequence[str]) -> NDArray[np.float32]:
        return embedder().documents(texts)

    return None if name == NONE else embed
