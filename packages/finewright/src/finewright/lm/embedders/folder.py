"""A model in a local folder as an embedder."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from finewright.lm.runtime import require_runtime

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from finewright.lm.embedders.encoder import TextEncoder


class ModelEmbedder:
    """Documents and queries, each after its own prompt if the model has prompts."""

    def __init__(self, name: str, encoder: "TextEncoder") -> None:
        self.id = name
        self.dimensions = encoder.dimensions
        self.num_cut = 0
        self._encoder = encoder

    def documents(self, texts: Sequence[str]) -> "NDArray[np.float32]":
        """(n, dimensions)."""
        return self._encoded(texts, self._encoder.settings.document_prompt)

    def queries(self, texts: Sequence[str]) -> "NDArray[np.float32]":
        """(n, dimensions)."""
        return self._encoded(texts, self._encoder.settings.query_prompt)

    def num_tokens(self, texts: Sequence[str]) -> int:
        """Tokens that are read of all the texts together, as documents."""
        return self._encoder.num_tokens(texts, self._encoder.settings.document_prompt)

    def _encoded(self, texts: Sequence[str], prompt: str) -> "NDArray[np.float32]":
        encoded = self._encoder.encode(texts, prompt)
        self.num_cut += encoded.num_cut
        return encoded.vectors


def load_folder(folder: Path) -> ModelEmbedder:
    """The embedder, named by its folder and content. Raises ModelError or MissingExtra."""
    require_runtime()
    from finewright.lm.embedders.encoder import TextEncoder, embedder_digest

    encoder = TextEncoder(folder)
    return ModelEmbedder(f"{folder.resolve().name}@{embedder_digest(folder)[:12]}", encoder)
