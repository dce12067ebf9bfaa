"""What a linear model sees of a text: its words, a vector of its meaning, or both side by side.

A name is `words`, an embedder (`minilm`, `wordllama`, the folder of one), or several with `+` between them.
Needs no torch but to compute."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from finewright import plugins
from finewright.catalog.models import read_packaged_embedders
from finewright.errors import ModelError, suggest
from finewright.lm.sources import folder_digest
from finewright.store.atomic import sha256_file
from finewright.store.keys import digest

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from torch import Tensor

    from finewright.labels.linear import WordFeatures
    from finewright.lm.embedders.embedder import Embedder

WORDS = "words"
_TEXTS_AT_ONCE = 1024  # enough of like length to be computed together; progress is told after each
_OWN_LICENSE = "Apache-2.0"  # finewright's: LICENSE
_POOLING = Path("1_Pooling", "config.json")


def check_features(name: str, root: Path) -> None:
    """Raise ModelError unless each part can be used; nothing is fetched or loaded."""
    parts = name.split("+")
    if len(set(parts)) < len(parts):
        raise ModelError(f"base model {name!r}: a part is named twice", hint="name it once")
    for part in parts:
        if part == WORDS or part in plugins.names("embedder"):
            continue
        if (root / Path(part).expanduser() / "config.json").is_file():
            continue
        known = [WORDS, *plugins.names("embedder")]
        raise ModelError(
            "; ".join(filter(None, (f"no features named {part!r}", suggest(part, known)))),
            hint=f"train.method linear learns from {', '.join(known)}, the folder of an embedder, or several:"
            f" {WORDS}+{known[1]}; a language model wants another method",
        )


def features_digest(name: str, root: Path) -> str:
    """sha256 of what the parts compute. Raises ModelError."""
    check_features(name, root)
    return digest(*(_part_digest(part, root) for part in name.split("+")))


def features_origin(name: str) -> str:
    """What others call the parts: their names, and the names of folders without the way there."""
    return "+".join(Path(part).name for part in name.split("+"))


def features_license(name: str) -> str:
    """SPDX expression of the parts' licences; `unknown` where one is not known.

    What tells words apart is finewright's, under its own licence."""
    embedders = read_packaged_embedders()
    found = [
        _OWN_LICENSE if part == WORDS else embedders[part].license if part in embedders else ""
        for part in name.split("+")
    ]
    return " AND ".join(dict.fromkeys(found)) if all(found) else "unknown"


def _part_digest(part: str, root: Path) -> str:
    if part == WORDS:
        return WORDS
    if packaged := read_packaged_embedders().get(part):
        return packaged.weights_sha256
    if part in plugins.names("embedder"):
        return str(plugins.resolve("embedder", part)().id)
    folder = root / Path(part).expanduser()
    pooling = folder / _POOLING
    return folder_digest(folder) + (sha256_file(pooling) if pooling.is_file() else "")


@dataclass(slots=True)
class TextFeatures:
    """The parts, ready to compute; `words` is None where no part is of words, or none were learned yet."""

    name: str
    embedders: "Sequence[Embedder]"
    words: "WordFeatures | None" = None

    @staticmethod
    def load(name: str, root: Path, words: "WordFeatures | None" = None) -> "TextFeatures":
        """Load what embeds. Raises ModelError, FetchError or MissingExtra."""
        from finewright.lm.embedders.load import load_embedder

        check_features(name, root)
        parts = [part for part in name.split("+") if part != WORDS]
        found = (load_embedder(part, lambda path: root / Path(path).expanduser()) for part in parts)
        return TextFeatures(name, [each for each in found if each], words)

    @property
    def has_words(self) -> bool:
        """Is one of the parts words?"""
        return WORDS in self.name.split("+")

    def blocks(
        self, texts: "Sequence[str]", on_progress: "Callable[[int, int], None]" = lambda *_: None
    ) -> "list[Tensor]":
        """A matrix of each part, (n, its features), the words first; float64, rows of length 1 or 0.

        `on_progress` hears how many texts of how many are done, of all embedders together."""
        import numpy as np
        import torch

        found = [] if self.words is None else [self.words.matrix(texts)]
        for number, embedder in enumerate(self.embedders):
            vectors = []
            for start in range(0, len(texts), _TEXTS_AT_ONCE):
                on_progress(number * len(texts) + start, len(self.embedders) * len(texts))
                vectors.append(embedder.documents(texts[start : start + _TEXTS_AT_ONCE]))
            found.append(torch.from_numpy(np.concatenate(vectors)).double())
        if self.embedders:
            on_progress(*[len(self.embedders) * len(texts)] * 2)
        return found
