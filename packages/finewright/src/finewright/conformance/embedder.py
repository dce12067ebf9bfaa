"""What every embedder must do: a test module subclasses `EmbedderConformance` and gives the fixture
`embedder`, as `rag.embedder` would load it."""

import numpy as np
import pytest

from finewright.conformance.texts import ODD_TEXTS
from finewright.lm.embedders.embedder import Embedder

_NEAR = ("How do I reset my password?", "I forgot my password and need a new one.")
_LONGEST = 10_000
_FAR = "The recipe needs two eggs and some flour."


class EmbedderConformance:
    """The claims."""

    @pytest.fixture
    def embedder(self) -> Embedder:
        raise NotImplementedError("a subclass gives the embedder")

    def test_it_names_its_model_and_its_content(self, embedder: Embedder) -> None:
        name, mark, digest = embedder.id.rpartition("@")
        assert (bool(name), mark, bool(digest)) == (True, "@", True)
        assert embedder.dimensions > 0

    def test_every_text_has_a_vector_of_length_1(self, embedder: Embedder) -> None:
        texts = [text for text in ODD_TEXTS if text.isprintable() and text.strip()]
        texts = [text for text in texts if len(text) <= _LONGEST]
        for vectors in (embedder.documents(texts), embedder.queries(texts)):
            assert vectors.shape == (len(texts), embedder.dimensions)
            assert vectors.dtype == np.float32
            np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-3)

    def test_no_texts_have_no_vectors(self, embedder: Embedder) -> None:
        assert embedder.documents([]).shape == (0, embedder.dimensions)

    def test_a_text_has_one_vector_whatever_stands_beside_it(self, embedder: Embedder) -> None:
        alone = [embedder.documents([text])[0] for text in (*_NEAR, _FAR)]
        np.testing.assert_allclose(embedder.documents([*_NEAR, _FAR]), alone, atol=1e-4)

    def test_what_means_the_same_is_nearer(self, embedder: Embedder) -> None:
        query = embedder.queries([_NEAR[0]])[0]
        near, far = embedder.documents([_NEAR[1], _FAR]) @ query
        assert near > far

    def test_a_text_longer_than_it_reads_is_counted(self, embedder: Embedder) -> None:
        before = embedder.num_cut
        embedder.documents(["short"])
        assert embedder.num_cut == before
        embedder.documents(["many words " * 20_000])
        assert embedder.num_cut in (before, before + 1)
