"""Weights are chosen by the questions: words or vectors where these find more, the usual in doubt."""

import pytest

from finewright.rag.questions import Question
from finewright.rag.trial import Answered, Trial, ask_all
from finewright.rag.tune import GRID, tuned

USUAL = {"lexical": 1.0, "dense": 0.25}
RIGHT, WRONG = 1, 2


def trial(*groups: tuple[str, int, list[int], list[int]]) -> Trial:
    """So many questions of a kind, each with what words and vectors find."""
    answered = [
        Answered(Question("?", ("right",), kind=kind), {"lexical": lexical, "dense": dense})
        for kind, number, lexical, dense in groups
        for _ in range(number)
    ]
    others = {i: f"other {i}" for i in range(3, 200)}
    return Trial(answered, {RIGHT: "right", WRONG: "wrong", **others})


LOST = list(range(3, 100))


def test_words_alone_where_vectors_lead_astray():
    # Vectors put what is wrong first, and words have it a place below what is right.
    found = tuned(trial(("name", 40, [RIGHT, WRONG], [WRONG, *LOST, RIGHT])))
    assert found.weights == {"lexical": 1.0, "dense": 0.0}


def test_vectors_alone_where_words_lead_astray():
    found = tuned(trial(("opening", 40, [WRONG, *LOST, RIGHT], [RIGHT, WRONG])))
    assert found.weights["dense"] > found.weights["lexical"]


def test_both_where_each_finds_what_the_other_does_not():
    found = tuned(
        trial(("name", 40, [RIGHT, WRONG], [WRONG]), ("opening", 40, [WRONG], [RIGHT, WRONG]))
    )
    assert found.weights["dense"] > 0
    assert found.weights["lexical"] > 0


def test_the_usual_where_nothing_tells_them_apart():
    assert tuned(trial(("name", 40, [RIGHT], [RIGHT]))).weights == USUAL
    assert GRID[0] == USUAL


def test_less_than_a_tenth_of_a_point_is_no_evidence_against_the_usual():
    even = ("name", 2000, [RIGHT, WRONG], [RIGHT, WRONG])
    odd = ("name", 1, [RIGHT, WRONG], [WRONG, *LOST, RIGHT])
    assert tuned(trial(even, odd)).weights == USUAL


def test_a_few_questions_of_a_kind_of_their_own_do_not_decide():
    found = tuned(
        trial(("name", 90, [RIGHT, WRONG], [WRONG, *LOST, RIGHT]), ("title", 2, [WRONG], [RIGHT]))
    )
    assert found.weights == {"lexical": 1.0, "dense": 0.0}


def test_what_was_tried_is_what_the_questions_give():
    asked = trial(("name", 3, [WRONG, RIGHT], [RIGHT, WRONG]))
    by_dense = {tried.weights["dense"]: tried for tried in tuned(asked).tried}
    assert by_dense[0.0].mrr == pytest.approx(1 / 2)
    rows = asked.measured_with({"lexical": 0.0, "dense": 1.0})
    assert [row["mrr"] for row in rows] == [1.0] * 3


def test_a_question_is_ranked_by_documents_each_once_at_its_best_chunk(tmp_path):
    from tests.rag.directions import Topics, index_of

    from finewright.rag.index import Document

    long = "\n\n".join(f"A card is blocked here, paragraph {i}. " + "word " * 40 for i in range(5))
    index = index_of(tmp_path, [Document("a", long), Document("b", "A loan.")], embedder=Topics())
    asked = ask_all(index, Topics(), [Question("card", ("a",)), Question("loan", ("b",))])
    ranked = [asked.ranked(each, {"lexical": 1.0, "dense": 1.0}) for each in asked.answered]
    assert ranked == [["a", "b"], ["b", "a"]]
    index.close()
