"""An OpenAI-compatible endpoint as an embedder."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from finewright.errors import FetchError
from finewright.fetch.endpoint import Client, Endpoint

_TEXTS_A_CALL = 64
_CHARS_A_CALL = 200_000


class EndpointEmbedder:
    """What the endpoint computes, normalised. Its `id` is the model's name there and the address: what
    stands behind them can change unseen. A text longer than the model reads is the endpoint's to refuse."""

    num_cut = 0

    def __init__(self, target: str, client: Client | None = None) -> None:
        """`target` is `https://HOST/v1#MODEL`. Asks once, for the dimensions; raises FetchError."""
        endpoint = Endpoint.parse(target)
        self._client = client or Client(endpoint)
        self.id = f"{endpoint.model}@{endpoint.base_url.partition('://')[2]}"
        self.dimensions = len(self._client.embeddings(["dimensions"])[0])

    def documents(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """(n, dimensions)."""
        vectors = np.empty((len(texts), self.dimensions), np.float32)
        for start, end in _calls(texts):
            vectors[start:end] = self._embedded(texts[start:end])
        return vectors

    def queries(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """As documents."""
        return self.documents(texts)

    def _embedded(self, texts: Sequence[str]) -> NDArray[np.float32]:
        # An endpoint refuses a text of no characters.
        rows = self._client.embeddings([text or " " for text in texts])
        if wrong := [len(row) for row in rows if len(row) != self.dimensions]:
            raise FetchError(
                f"{self.id}: a vector has {wrong[0]} dimensions, and those before had {self.dimensions}"
            )
        vectors = np.asarray(rows, np.float32)
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        if not np.isfinite(lengths).all() or not lengths.all():
            raise FetchError(f"{self.id}: a vector has no direction: it is zero or not finite")
        unit: NDArray[np.float32] = vectors / lengths
        return unit


def _calls(texts: Sequence[str]) -> Iterator[tuple[int, int]]:
    """Consecutive texts that go in one call."""
    start, chars = 0, 0
    for i, text in enumerate(texts):
        if i > start and (i - start == _TEXTS_A_CALL or chars + len(text) > _CHARS_A_CALL):
            yield start, i
            start, chars = i, 0
        chars += len(text)
    if start < len(texts):
        yield start, len(texts)
