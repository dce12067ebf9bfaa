"""What every index must do, whatever holds it: a test module subclasses `IndexConformance` and gives the
fixture `store`, a `Store` of an address that its kind of index is registered for.

Where the bytes of a store cannot be read, its `files` is None and that claim is skipped."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from finewright.errors import DataError
from finewright.schema.passages import Counts, Document
from finewright_rag.conformance.documents import (
    ALLOWANCES,
    DIMENSIONS,
    FEES,
    PAYROLL,
    Store,
    about,
    direction,
    document,
    find_by_words,
    make_indexed,
    near,
)
from finewright_rag.indexing.chunk import chunks
from finewright_rag.search.calibration import Calibration
from finewright_rag.stores.index import Index, IndexChanges, Indexed

if TYPE_CHECKING:
    from collections.abc import Iterator


class IndexConformance:
    """The claims; each test gets an empty place."""

    @pytest.fixture
    def index(self, store: Store) -> Iterator[Index]:
        index = store.create(about())
        index.put(
            [
                make_indexed(ALLOWANCES, direction(1), direction(1, 1)),
                make_indexed(FEES, direction(0, 0, 1)),
            ]
        )
        yield index
        index.close()

    def test_what_was_put_is_there_when_it_is_opened_again(
        self, store: Store, index: Index
    ) -> None:
        index.close()
        again = store.open()
        assert again.about == about()
        assert again.counts() == Counts(documents=2, chunks=3)
        assert again.digests() == {"allowances": ALLOWANCES.sha256, "fees": FEES.sha256}
        assert find_by_words(again, "charges") == ["fees"]
        again.close()

    def test_a_passage_has_all_that_a_citation_needs(self, index: Index) -> None:
        ranked = index.lexical("allowance transfers", 10, None)
        passage = index.passages([ranked[0].chunk_id])[0]
        assert passage.chunk_id == ranked[0].chunk_id
        assert (passage.document, passage.title) == ("allowances", "Tokens")
        assert (passage.source, passage.license) == ("docs/allowances.md", "CC0-1.0")
        assert passage.chunk == chunks(ALLOWANCES, 200)[1]
        assert ALLOWANCES.text[passage.chunk.start : passage.chunk.end] == passage.chunk.text

    def test_passages_come_in_the_order_of_the_request(self, index: Index) -> None:
        numbers = [r.chunk_id for r in index.nearest(direction(1), 3, None)]
        backwards = index.passages(numbers[::-1])
        assert [p.chunk_id for p in backwards] == numbers[::-1]
        assert index.passages([]) == []

    @pytest.mark.parametrize("query", ["approve", "APPROVING", "who approved it?", "spenders"])
    def test_words_are_found_in_their_other_forms(self, index: Index, query: str) -> None:
        assert find_by_words(index, query) == ["allowances"]

    def test_any_word_of_the_query_is_enough_and_more_are_better(self, index: Index) -> None:
        index.put([make_indexed(document("both", "A monthly charge for the spender."))])
        assert find_by_words(index, "monthly spender")[0] == "both"
        assert set(find_by_words(index, "monthly spender")) == {"both", "fees", "allowances"}

    def test_the_title_and_the_headings_are_searched(self, index: Index) -> None:
        index.put([make_indexed(document("plain", "Nothing but this.", title="Zeppelins"))])
        assert find_by_words(index, "zeppelin") == ["plain"]
        assert index.passages([index.lexical("limits", 1, None)[0].chunk_id])[
            0
        ].chunk.heading_path == (
            "Allowances",
            "Limits",
        )

    @pytest.mark.parametrize(
        "query",
        ["", " ", "\0", '"', "'", "(", "*", "charges*)", 'charges" OR "', "NEAR(charges", "NOT", "AND OR",
         "names:charges", "-charges", "^charges", "{text}: x", "a' OR 1=1 --", "charges & | !", ":*", "<->",
         "\\", "%", "\ud800", "😀", "x" * 5000, "charges " * 2000, "charges\0staff"],
    )  # fmt: skip
    def test_no_query_is_syntax(self, index: Index, query: str) -> None:
        expected = {"fees"} if "charges" in query else set()
        assert set(find_by_words(index, query)) >= expected
        assert index.counts() == Counts(2, 3)

    @pytest.mark.parametrize(
        ("text", "query"),
        [
            ("Die Übergabe erfolgt später.", "ubergabe"),
            ("Комиссия взимается ежемесячно.", "комиссия"),
            ("手数料は毎月支払います。", "手数料"),
            ("每月收取手续费。", "手续费"),
            ("수수료는 매월 냅니다.", "수수료"),
            ("تُدفع الرسوم شهريا", "الرسوم"),
            ("शुल्क हर महीने लिया जाता है", "शुल्क"),
            ("ค่าธรรมเนียมรายเดือน", "ค่าธรรมเนียม"),
        ],
    )
    def test_words_of_any_script_are_found(self, index: Index, text: str, query: str) -> None:
        index.put([make_indexed(document("other", text))])
        assert find_by_words(index, query) == ["other"]

    def test_the_nearest_vectors_come_first_with_their_cosine(self, index: Index) -> None:
        ranked = index.nearest(direction(1), 3, None)
        assert [r.score for r in ranked] == pytest.approx([1, 2**-0.5, 0], abs=2e-3)
        assert near(index, direction(0, 0, 1))[0] == "fees"
        assert len(index.nearest(direction(1), 2, None)) == 2

    def test_vectors_are_given_back_in_the_order_of_the_request(self, index: Index) -> None:
        first, second = (r.chunk_id for r in index.nearest(direction(1), 2, None))
        both = index.vectors([second, first])
        assert both.dtype == np.float32
        np.testing.assert_allclose(both, [direction(1, 1), direction(1)], atol=2e-3)
        assert index.vectors([]).shape == (0, DIMENSIONS)

    def test_an_index_of_words_alone_has_no_vectors(self, store: Store) -> None:
        index = store.create(about(dimensions=0))
        index.put([Indexed(FEES, chunks(FEES, 200), None)])
        assert find_by_words(index, "charge") == ["fees"]
        assert index.nearest(direction(1), 3, None) == []
        index.close()

    def test_hidden_documents_are_for_their_groups_alone(self, index: Index) -> None:
        index.put([make_indexed(PAYROLL, direction(0, 0, 1))])
        readers = {None: True, frozenset(): False, frozenset({"guests"}): False,
                   frozenset({"board"}): True, frozenset({"guests", "staff"}): True}  # fmt: skip
        for access, sees in readers.items():
            assert ("payroll" in find_by_words(index, "charges", access)) is sees
            assert ("payroll" in near(index, direction(0, 0, 1), access)) is sees

    def test_it_knows_which_documents_are_not_everyones(self, index: Index) -> None:
        assert index.find_restricted() == set()
        index.put([make_indexed(PAYROLL)])
        assert index.find_restricted() == {"payroll"}
        index.put([make_indexed(document("payroll", PAYROLL.text))])
        assert index.find_restricted() == set()

    def test_hidden_documents_take_no_places(self, index: Index) -> None:
        crowd = [
            make_indexed(
                document(f"hidden-{n}", f"Charges charges {n}", groups=("staff",)),
                direction(0, 0, 1, n / 999),
            )
            for n in range(150)
        ]
        index.put(
            [
                *crowd,
                make_indexed(document("open", "Some charges, and more."), direction(0, 0, 1, 1)),
            ]
        )
        for limit in (1, 2):
            guest = index.lexical("charges", limit, frozenset({"guests"}))
            assert len(guest) == limit
            assert len(near(index, direction(0, 0, 1), frozenset(), limit)) == limit
        assert {*find_by_words(index, "charges", frozenset())} == {"fees", "open"}
        assert near(index, direction(0, 0, 1), frozenset(), 2) == ["fees", "open"]

    @pytest.mark.parametrize(
        "group",
        ["a'b", 'a"b', "a,b", "{a}", "[]", "ä", "staff%", "_taff", " staff", "", "*", "public"],
    )
    def test_a_group_is_a_name_and_nothing_else(self, index: Index, group: str) -> None:
        index.put(
            [make_indexed(PAYROLL), make_indexed(document("odd", "Odd charges.", groups=(group,)))]
        )
        assert set(find_by_words(index, "charges", frozenset({group}))) == {"fees", "odd"}
        assert set(find_by_words(index, "charges", frozenset({"staff"}))) == {"fees", "payroll"}

    def test_an_unchanged_document_stays_and_another_text_replaces_it(self, index: Index) -> None:
        before = [r.chunk_id for r in index.lexical("allowance", 9, None)]
        other = document("fees", "# Fees\n\nNothing is taken.")
        news = document("news", "An interest rate.")
        assert index.put(
            [make_indexed(ALLOWANCES), make_indexed(other), make_indexed(news)]
        ) == IndexChanges(1, 1, 1)
        assert [r.chunk_id for r in index.lexical("allowance", 9, None)] == before
        assert find_by_words(index, "monthly") == []
        assert find_by_words(index, "nothing") == ["fees"]
        assert index.digests()["fees"] == other.sha256
        assert index.counts() == Counts(3, 4)

    def test_a_document_that_its_groups_may_no_longer_see_is_hidden(self, index: Index) -> None:
        index.put([make_indexed(document("fees", FEES.text, groups=("staff",)))])
        assert find_by_words(index, "charges", frozenset()) == []
        assert find_by_words(index, "charges", frozenset({"staff"})) == ["fees"]

    def test_a_document_without_a_chunk_is_known_and_never_found(self, index: Index) -> None:
        empty = document("empty", " \n")
        assert index.put([make_indexed(empty)]) == IndexChanges(1, 0, 0)
        assert index.put([make_indexed(empty)]) == IndexChanges(0, 0, 1)
        assert index.counts() == Counts(3, 3)
        assert index.delete(["empty"]) == 1

    def test_of_an_iterator_that_raises_nothing_is_kept(self, index: Index) -> None:
        def break_off() -> Iterator[Indexed]:
            yield make_indexed(document("fees", "Another text."))
            yield make_indexed(document("more", "Half of a batch."))
            raise DataError("line 3: broken")

        with pytest.raises(DataError, match="line 3: broken"):
            index.put(break_off())
        assert index.counts() == Counts(2, 3)
        assert find_by_words(index, "half another") == []
        assert find_by_words(index, "charges") == ["fees"]
        assert near(index, direction(0, 0, 1), limit=1) == ["fees"]

    def test_two_documents_of_one_id_are_refused_with_both_sources(self, index: Index) -> None:
        first = document("twice", "One.")
        second = Document("twice", "Two.", source="other/twice.md", sha256="2")
        with pytest.raises(DataError, match=r"(?s)other/twice\.md.*docs/twice\.md") as raised:
            index.put([make_indexed(first), make_indexed(second)])
        assert "\n" not in str(raised.value)
        assert "'twice'" in str(raised.value)
        assert "twice" not in index.digests()

    def test_an_update_is_seen_by_who_has_the_index_open(self, store: Store, index: Index) -> None:
        other = store.open()
        assert near(other, direction(0, 1), limit=1) == ["allowances"]
        index.delete(["allowances"])
        index.put([make_indexed(document("news", "An interest rate."), direction(0, 1))])
        assert find_by_words(other, "interest") == ["news"]
        assert find_by_words(other, "allowance") == []
        assert near(other, direction(0, 1)) == ["news", "fees"]
        other.close()

    def test_deleting_says_how_many_there_were(self, index: Index) -> None:
        assert index.delete(["fees", "never", "fees"]) == 1
        assert index.delete([]) == 0
        assert find_by_words(index, "charges") == []
        assert near(index, direction(0, 0, 1)) == ["allowances", "allowances"]
        assert index.counts() == Counts(1, 2)
        assert index.put([make_indexed(FEES)]) == IndexChanges(1, 0, 0)
        assert find_by_words(index, "charges") == ["fees"]

    def test_no_byte_of_a_deleted_text_is_left(self, store: Store, index: Index) -> None:
        words = ["xylographer", "quizzaciously", "zwitterionic", "jujubefruit"]
        secret = f"Only {words[0]} and {words[1]} saw it. " * 30
        index.put(
            [make_indexed(document("secret", f"# {words[2]}\n\n{secret}", title=words[3].title()))]
        )
        index.put([make_indexed(document(f"later-{n}", f"Later text {n}.")) for n in range(20)])
        before = store.content()
        if before is None:
            pytest.skip("the files of this store are out of reach")
        assert all(word.encode() in before.lower() for word in words)
        index.delete(["secret"])
        after = (store.content() or b"").lower()
        index.close()
        closed = (store.content() or b"").lower()
        for word in words:
            assert word[:9].encode() not in after
            assert word[:9].encode() not in closed

    def test_no_byte_of_a_replaced_text_is_left(self, store: Store, index: Index) -> None:
        index.put([make_indexed(document("fees", "Ask the xylographer about it."))])
        if store.content() is None:
            pytest.skip("the files of this store are out of reach")
        index.put([make_indexed(document("fees", "Ask nobody."))])
        assert b"xylograph" not in (store.content() or b"")

    def test_tuned_weights_are_remembered(self, store: Store, index: Index) -> None:
        index.remember({"lexical": 1.0, "dense": 0.0})
        assert index.about.weights == {"lexical": 1.0, "dense": 0.0}
        index.close()
        again = store.open()
        assert again.about.weights == {"lexical": 1.0, "dense": 0.0}
        again.close()

    def test_weights_for_other_words_and_the_calibration_are_remembered_or_that_there_are_none(
        self, store: Store, index: Index
    ) -> None:
        alike, line = {"lexical": 1.0, "dense": 1.0}, Calibration(-9, 20, 5, 0.5, 0.05, 0.97, 99)
        index.remember({"lexical": 1.0, "dense": 0.0}, alike, line)
        assert (index.about.other_weights, index.about.calibration) == (alike, line)
        index.close()
        again = store.open()
        assert again.about.weights == {"lexical": 1.0, "dense": 0.0}
        assert (again.about.other_weights, again.about.calibration) == (alike, line)
        again.remember({"lexical": 1.0, "dense": 0.5})
        again.close()
        forgotten = store.open()
        assert (forgotten.about.other_weights, forgotten.about.calibration) == (None, None)
        forgotten.close()

    def test_the_ceiling_is_what_the_words_reach_one_by_one(self, index: Index) -> None:
        index.put(
            [
                make_indexed(document("card", "Blocking stops cards.")),
                make_indexed(document("loan", "A mortgage runs long.")),
                make_indexed(document("lounge", "Travellers rest in lounges.")),
            ]
        )
        alone = [index.lexical(word, 1, None)[0].score for word in ("blocking", "mortgage")]
        assert index.ceiling("blocking mortgage") == pytest.approx(sum(alone), rel=1e-4)
        # ln(1 + 5.5 / 1.5) * 2.2 for a word that none of the six chunks has.
        unknown = index.ceiling("blocking mortgage qwertzu") - sum(alone)
        assert unknown == pytest.approx(3.3890, abs=1e-3)
        assert index.ceiling("?") == 0

    def test_there_is_no_index_before_one_is_made(self, store: Store) -> None:
        with pytest.raises(DataError) as raised:
            store.open()
        assert "\n" not in str(raised.value)

    def test_an_index_is_not_made_over_another(self, store: Store, index: Index) -> None:
        with pytest.raises(DataError) as raised:
            store.create(about())
        assert "\n" not in str(raised.value)
        assert find_by_words(index, "charges") == ["fees"]
