"""Coverage tells a question in the documents' own words from one in other words and from nonsense."""

from contextlib import closing

import pytest

from finewright.schema.passages import Document
from finewright_rag.search.coverage import MOST_WORDS, ceiling_of, coverage
from finewright_rag.stores.index import Index
from rag.directions import index_of

DOCUMENTS = [
    Document("card", "Blocking stops the card at once."),
    Document("loan", "A mortgage runs for twenty years."),
    Document("fee", "The yearly fee is taken in June."),
    Document("lounge", "Travellers rest in a lounge."),
]


def covered(index: Index, query: str) -> float:
    return coverage(index, query, index.lexical(query, 1, None))


def test_all_of_a_chunks_own_words_are_covered_and_words_of_several_less(tmp_path):
    with closing(index_of(tmp_path, DOCUMENTS)) as index:
        assert covered(index, "blocking stops card") == pytest.approx(1.0)
        mixed = covered(index, "blocking mortgage lounge")
        assert 0.2 < mixed < 0.5
        assert covered(index, "blocking stops card qwertzu") < 1.0
        assert covered(index, "qwertzu asdfgh") == 0.0
        assert covered(index, "?!") == 0.0


def test_a_question_longer_than_any_chunk_is_one_in_other_words(tmp_path):
    with closing(index_of(tmp_path, DOCUMENTS)) as index:
        longer = " ".join(["blocking", *(f"w{i}" for i in range(MOST_WORDS))])
        assert covered(index, longer) == 0.0


def test_who_may_not_see_the_document_has_no_coverage_by_it(tmp_path):
    secret = Document("secret", "The merger with Alpha closes in May.", groups=("board",))
    with closing(index_of(tmp_path, [*DOCUMENTS, secret])) as index:
        query = "merger with Alpha"
        seen = coverage(index, query, index.lexical(query, 1, frozenset({"board"})))
        unseen = coverage(index, query, index.lexical(query, 1, frozenset()))
        assert seen == pytest.approx(1.0)
        assert unseen == 0.0


def test_an_unknown_word_weighs_as_the_rarest_of_so_many_chunks():
    # ln(1 + 99.5 / 1.5) * 2.2 by hand.
    assert ceiling_of([3.0, 0.0], 100) == pytest.approx(3.0 + 9.2603, abs=1e-3)
