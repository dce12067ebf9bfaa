"""Vectors from a real server: normalised, in calls of a size, and refused where they cannot be vectors."""

from pathlib import Path

import numpy as np
import pytest

from finewright.errors import FetchError
from finewright.lm.embedders.load import load_embedder
from served import served, vectors

pytest.importorskip("httpx")


def lengths(call):
    """A vector that tells its text."""
    return vectors([[float(len(text)), 1.0, 0.0] for text in call.body["input"]])


def test_each_text_has_its_own_vector_of_length_1():
    texts = ["x" * n for n in range(1, 151)]
    with served(lengths) as server:
        embedder = load_embedder(f"{server.url}#m-1", Path)
        found = embedder.documents(texts)
        assert np.array_equal(embedder.queries(texts[:3]), found[:3])
    assert embedder.dimensions == 3
    assert embedder.id == f"m-1@{server.url.removeprefix('http://')}"
    expected = [[n / np.hypot(n, 1), 1 / np.hypot(n, 1), 0] for n in range(1, 151)]
    assert found == pytest.approx(np.array(expected), abs=1e-6)
    assert [len(call.body["input"]) for call in server.asked] == [1, 64, 64, 22, 3]


def test_long_texts_go_in_smaller_calls_and_empty_ones_as_a_blank():
    with served(lengths) as server:
        embedder = load_embedder(f"{server.url}#m-1", Path)
        embedder.documents(["", "x" * 150_000, "y" * 150_000])
        assert embedder.documents([]).shape == (0, 3)
    assert [len(call.body["input"]) for call in server.asked] == [1, 2, 1]
    assert server.asked[1].body["input"][0] == " "


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ([1.0, 2.0], "a vector has 2 dimensions, and those before had 3"),
        ([0.0, 0.0, 0.0], "a vector has no direction"),
        ([float("nan"), 0.0, 0.0], "a vector has no direction"),
    ],
)
def test_what_cannot_be_a_vector_is_refused(row, said):
    replies = iter([vectors([[1.0, 0.0, 0.0]]), vectors([row])])
    with served(lambda _: next(replies)) as server:
        embedder = load_embedder(f"{server.url}#m-1", Path)
        with pytest.raises(FetchError, match=said):
            embedder.queries(["a"])
