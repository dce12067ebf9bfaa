"""From the name of an embedder in a spec to the embedder.

An OpenAI-compatible endpoint as an embedder.

A model in a local folder as an embedder."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from finewright import plugins
from finewright.errors import FetchError, ModelError, UnknownPlugin, suggest
from finewright.fetch.endpoint import Client, Endpoint
from finewright.lm.embedders.embedder import Embedder
from finewright.lm.runtime import require_runtime

if TYPE_CHECKING:
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
        return self._encode(texts, self._encoder.settings.document_prompt)

    def queries(self, texts: Sequence[str]) -> "NDArray[np.float32]":
        """(n, dimensions)."""
        return self._encode(texts, self._encoder.settings.query_prompt)

    def num_tokens(self, texts: Sequence[str]) -> int:
        """Tokens that are read of all the texts together, as documents."""
        return self._encoder.num_tokens(texts, self._encoder.settings.document_prompt)

    def _encode(self, texts: Sequence[str], prompt: str) -> "NDArray[np.float32]":
        encoded = self._encoder.encode(texts, prompt)
        self.num_cut += encoded.num_cut
        return encoded.vectors


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
            vectors[start:end] = self._embed(texts[start:end])
        return vectors

    def queries(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """As documents."""
        return self.documents(texts)

    def _embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
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


NONE = "none"
_PATH_STARTS = (".", "/", "~")


def load_embedder(name: str, resolve: Callable[[str], Path]) -> Embedder | None:
    """The embedder of that name, ready to embed; None for "none".

    A name is, in this order: none, a packaged or installed embedder, an endpoint's URL (`https://HOST/v1#MODEL`),
    a model's folder, found by `resolve`. Raises UnknownPlugin, ModelError, FetchError or MissingExtra."""
    if name == NONE:
        return None
    if "://" in name:
        return EndpointEmbedder(name)
    if name in plugins.names("embedder"):
        loaded: Embedder = plugins.resolve("embedder", name)()
        return loaded
    folder = resolve(name)
    if folder.is_dir():
        return load_folder(folder)
    if name.startswith(_PATH_STARTS) or "/" in name:
        raise ModelError(
            f"embedder {name!r}: there is no such folder",
            hint="name the folder that holds config.json, tokenizer.json and the safetensors",
        )
    raise _unknown(name)


def _unknown(name: str) -> UnknownPlugin:
    known = [NONE, *plugins.names("embedder")]
    return UnknownPlugin(
        "; ".join(filter(None, (f"no embedder named {name!r}", suggest(name, known)))),
        hint=f"use one of: {', '.join(known)}; or a model's folder, or https://HOST/v1#MODEL",
    )


def load_folder(folder: Path) -> ModelEmbedder:
    """The embedder, named by its folder and content. Raises ModelError or MissingExtra."""
    require_runtime()
    from finewright.lm.embedders.encoder import TextEncoder, embedder_digest

    encoder = TextEncoder(folder)
    return ModelEmbedder(f"{folder.resolve().name}@{embedder_digest(folder)[:12]}", encoder)
