"""A search finds passages by words, by vectors and by both, and only what the asker may see."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from finewright.schema.passages import Document
from finewright_rag.search.calibration import Calibration
from finewright_rag.search.retrieve import find, search
from finewright_rag.stores.index import Index
from rag.directions import Topics, index_of

DOCUMENTS = [
    Document("card", "How to block a card that was stolen."),
    Document("payment", "Report every payment you do not know."),
    Document("loan", "A mortgage is a loan on a house."),
    Document("staff", "Staff block a card at the counter.", groups=("staff",)),
]


@pytest.fixture
def index(tmp_path: Path) -> Iterator[Index]:
    with closing(index_of(tmp_path, DOCUMENTS, embedder=Topics())) as index:
        yield index


def names(index: Index, query: str, **how: object) -> list[str]:
    how = {"limit": 10, "access": frozenset(), **how}
    return [hit.passage.document for hit in search(index, Topics(), query, **how)]


def test_words_alone_and_vectors_alone_are_their_rankings(index: Index) -> None:
    assert names(index, "block a card", weights={"lexical": 1.0}) == ["card", "loan"]
    dense = names(index, "block a card", weights={"dense": 1.0})
    assert set(dense[:2]) == {"card", "payment"}
    assert dense[2] == "loan"


def test_the_weights_are_those_that_the_index_remembers(index: Index) -> None:
    index.remember({"lexical": 0.0, "dense": 1.0})
    assert names(index, "mortgage")[0] == "loan"
    assert "payment" in names(index, "a stolen card")
    index.remember({"lexical": 1.0, "dense": 0.0})
    assert "payment" not in names(index, "a stolen card")


def test_a_score_is_that_of_the_fusion(index: Index) -> None:
    best = search(index, Topics(), "mortgage loan", limit=1, access=frozenset())[0]
    assert best.passage.document == "loan"
    assert best.score == pytest.approx(2 / 61)


def test_without_an_embedder_words_alone_count(index: Index) -> None:
    found = search(index, None, "stolen", limit=5)
    assert [hit.passage.document for hit in found] == ["card"]


@pytest.mark.parametrize("weights", [{"lexical": 1.0}, {"dense": 1.0}, None])
def test_nobody_sees_what_is_anothers(index: Index, weights: dict[str, float] | None) -> None:
    assert "staff" not in names(index, "block a card", weights=weights)
    assert "staff" in names(index, "block a card", weights=weights, access=frozenset({"staff"}))
    assert "staff" in names(index, "block a card", weights=weights, access=None)


def test_a_query_without_a_word_finds_nothing(index: Index) -> None:
    assert names(index, " \n") == []


def test_no_more_than_asked_for_and_the_best_first(index: Index) -> None:
    every = search(index, Topics(), "card loan", limit=10)
    assert [hit.score for hit in every] == sorted((hit.score for hit in every), reverse=True)
    assert search(index, Topics(), "card loan", limit=2) == every[:2]


def test_diversity_takes_another_topic_before_the_same_again(index: Index) -> None:
    query, weights = "card payment, also a loan", {"lexical": 0.0, "dense": 1.0}
    plain = names(index, query, limit=2, weights=weights)
    assert set(plain) == {"card", "payment"}
    diverse = names(index, query, limit=2, weights=weights, diversity=0.7)
    assert diverse[0] == plain[0]
    assert diverse[1] == "loan"


def test_diversity_works_by_words_where_there_are_no_vectors(tmp_path: Path) -> None:
    documents = [
        Document("1", "Block a stolen card at once."),
        Document("2", "Block a stolen card at once, please."),
        Document("3", "A card for travel."),
    ]
    with closing(index_of(tmp_path, documents)) as index:
        plain = [h.passage.document for h in search(index, None, "block stolen card", limit=2)]
        found = search(index, None, "block stolen card", limit=2, diversity=0.7)
    assert set(plain) == {"1", "2"}
    assert [hit.passage.document for hit in found] == [plain[0], "3"]


def test_a_question_in_other_words_is_searched_by_vectors_and_one_in_own_words_by_words(
    index: Index,
) -> None:
    index.remember({"lexical": 1.0, "dense": 0.0}, {"lexical": 0.0, "dense": 1.0})
    # All its words stand in one chunk, so words decide and nothing without them is found.
    assert names(index, "block a card that was stolen") == ["card", "loan"]
    # One of five does: vectors decide, and know that a payment is of the topic of a card.
    assert set(names(index, "my payment went astray yesterday")[:2]) == {"payment", "card"}


LINE = Calibration(-5.0, 0.0, 20.0, 0.0, 0.05, 0.97, 99)


def test_a_search_says_whether_a_document_has_this_by_what_the_asker_may_see(index: Index) -> None:
    index.remember({"lexical": 1.0, "dense": 1.0}, None, LINE)
    ask = "staff at the counter"
    assert find(index, Topics(), ask, limit=3, access=frozenset({"staff"})).has_answer is True
    assert find(index, Topics(), ask, limit=3, access=frozenset()).has_answer is False
    assert find(index, Topics(), "qwertzu asdfgh", limit=3).has_answer is False


def test_an_index_that_is_not_calibrated_does_not_say(index: Index) -> None:
    assert find(index, Topics(), "qwertzu asdfgh", limit=3).has_answer is None


def test_a_line_through_vectors_says_nothing_of_words_alone(index: Index) -> None:
    index.remember({"lexical": 1.0, "dense": 1.0}, None, LINE)
    assert find(index, None, "qwertzu asdfgh", limit=3).has_answer is None
