"""WordLlama: the mean of a text's word vectors, which ship in a wheel; no model hub, no network, no torch."""

import hashlib
import logging
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from finewright.errors import MissingExtra, ModelError
from finewright.plugins import install_command
from finewright.store.atomic import sha256_file

_DIMENSIONS = 256
_BATCH = 1024
_WEIGHTS = f"weights/l2_supercat_{_DIMENSIONS}.safetensors"
_TOKENIZER = "tokenizers/l2_supercat_tokenizer_config.json"


class WordEmbedder:
    """Queries and documents alike, of any length. Hardly sees word order, negation or numbers."""

    dimensions = _DIMENSIONS
    num_cut = 0

    def __init__(self) -> None:
        root = logging.getLogger()
        before = root.level, list(root.handlers)
        try:
            import wordllama
        except ImportError:
            raise MissingExtra(
                "wordllama is not installed", hint=install_command("[data]")
            ) from None
        finally:  # its import has the log of every library printed
            root.setLevel(before[0])
            root.handlers[:] = before[1]
        home = Path(wordllama.__file__).parent
        self.id = f"wordllama@{_digest(home)[:12]}"
        # It looks for its tokenizer beside the cache folder's other name unless told where it is.
        model = wordllama.WordLlama.load(dim=_DIMENSIONS, cache_dir=home, disable_download=True)
        self._table: NDArray[np.float32] = model.embedding
        self._tokenizer = model.tokenizer
        self._tokenizer.no_padding()

    def documents(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """(n, 256); texts without a word have one and the same vector.

        The vectors of `WordLlama.embed`, which pads a batch to its longest text: 20 times the work."""
        vectors = self.sums(texts)
        vectors[~vectors.any(axis=1)] = 1.0
        unit: NDArray[np.float32] = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
        return unit

    def sums(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """(n, 256): the sum of each text's vectors. Words that say little have short ones."""
        vectors = np.zeros((len(texts), _DIMENSIONS), np.float32)
        for start in range(0, len(texts), _BATCH):
            batch = list(texts[start : start + _BATCH])
            for i, encoded in enumerate(
                self._tokenizer.encode_batch_fast(batch, add_special_tokens=False), start
            ):
                ids, counts = np.unique(np.asarray(encoded.ids, np.int64), return_counts=True)
                if len(ids):
                    known = ids.clip(max=len(self._table) - 1)
                    vectors[i] = counts.astype(np.float32) @ self._table[known]
        return vectors

    def queries(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """As documents."""
        return self.documents(texts)

    def num_tokens(self, texts: Sequence[str]) -> int:
        """Tokens of all the texts together."""
        encodings = self._tokenizer.encode_batch_fast(list(texts), add_special_tokens=False)
        return sum(len(encoding.ids) for encoding in encodings)


@cache
def load() -> WordEmbedder:
    """The embedder. Raises MissingExtra without the package, ModelError when it is damaged."""
    return WordEmbedder()


def _digest(home: Path) -> str:
    """sha256 over the weights and the tokenizer that the package brings."""
    paths = [home / _WEIGHTS, home / _TOKENIZER]
    if missing := [path for path in paths if not path.is_file()]:
        raise ModelError(
            f"wordllama: {missing[0]} is missing", hint="pip install --force-reinstall wordllama"
        )
    return hashlib.sha256("".join(map(sha256_file, paths)).encode()).hexdigest()
