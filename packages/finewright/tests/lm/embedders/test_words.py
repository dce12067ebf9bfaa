"""The vectors are wordllama's own, whatever the order and number of the texts."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from finewright.conformance.embedder import EmbedderConformance
from finewright.lm.embedders.load import load_embedder

wordllama = pytest.importorskip("wordllama")
TEXTS = ["Reset the password.", "A much longer text about transferring tokens " * 20, "ß 漢字", "a"]


@pytest.fixture(scope="module")
def embedder():
    return load_embedder("wordllama", Path)


class TestWordLlama(EmbedderConformance):
    @pytest.fixture
    def embedder(self):
        return load_embedder("wordllama", Path)


def test_vectors_are_those_of_the_library(embedder):
    home = Path(wordllama.__file__).parent
    library = wordllama.WordLlama.load(dim=256, cache_dir=home, disable_download=True)
    vectors = embedder.documents(TEXTS)
    assert (vectors.dtype, vectors.shape) == (np.float32, (4, embedder.dimensions))
    for text, vector in zip(TEXTS, vectors, strict=True):
        assert vector == pytest.approx(library.embed(text, norm=True)[0], abs=1e-6)
    assert np.array_equal(embedder.queries(TEXTS), vectors)


def test_a_vector_does_not_depend_on_the_texts_beside_it(embedder):
    texts = [f"{'the user ' * (n % 5)}{n}" for n in range(2100)]
    together = embedder.documents(texts)
    for n in (0, 1023, 1024, 2099):
        assert np.array_equal(together[n], embedder.documents([texts[n]])[0])


def test_texts_without_words_have_one_vector(embedder):
    vectors = embedder.documents(["", "word", " "])
    assert (vectors**2).sum(axis=1) == pytest.approx([1, 1, 1], abs=1e-5)
    assert embedder.documents([]).shape == (0, 256)
    assert np.array_equal(vectors[0], embedder.documents([""])[0])


def test_the_id_tells_the_content(embedder):
    name, _, digest = embedder.id.partition("@")
    assert (name, len(digest)) == ("wordllama", 12)
    assert load_embedder("wordllama", Path).id == embedder.id


def test_other_libraries_log_no_more_than_before() -> None:
    code = (
        "import logging; from finewright.lm.static_words import WordEmbedder; WordEmbedder();"
        "root = logging.getLogger(); print(root.level == logging.WARNING, root.handlers)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "True []\n"
