"""Weights are chosen by the questions: the fewest vectors for questions in the documents' own words, unless
more find more; both alike for questions in other words, unless vectors find more."""

import pytest

from finewright_rag.search.coverage import PassageEvidence
from finewright_rag.search.questions import Question
from finewright_rag.search.retrieve import RankingWeights
from finewright_rag.search.tune import ALIKE, IndexTrial, TrialQuestion, ask_all, tune_weights

WORDS = {"lexical": 1.0, "dense": 0.0}
RIGHT, WRONG = 1, 2


def trial(*groups: tuple[float, int, list[int], list[int]]) -> IndexTrial:
    """So many questions of a coverage, each with what words and vectors find."""
    answered = [
        TrialQuestion(
            Question("?", ("right",)),
            {"lexical": lexical, "dense": dense},
            PassageEvidence(0.5, coverage),
        )
        for coverage, number, lexical, dense in groups
        for _ in range(number)
    ]
    others = {i: f"other {i}" for i in range(3, 200)}
    return IndexTrial(answered, {RIGHT: "right", WRONG: "wrong", **others})


LOST = list(range(3, 100))


def test_words_alone_where_vectors_lead_astray():
    # Vectors put what is wrong first, and words have it a place below what is right.
    found = tune_weights(trial((1.0, 40, [RIGHT, WRONG], [WRONG, *LOST, RIGHT])))
    assert found.weights.own == WORDS


def test_vectors_alone_where_words_lead_astray():
    found = tune_weights(trial((1.0, 40, [WRONG, *LOST, RIGHT], [RIGHT, WRONG])))
    assert found.weights.own["dense"] > found.weights.own["lexical"]


def test_both_where_each_finds_what_the_other_does_not():
    found = tune_weights(trial((1.0, 40, [RIGHT, WRONG], LOST), (1.0, 40, [WRONG, *LOST], [RIGHT])))
    assert found.weights.own["dense"] > 0
    assert found.weights.own["lexical"] > 0


def test_the_fewest_vectors_where_nothing_tells_them_apart():
    assert tune_weights(trial((1.0, 40, [RIGHT], [RIGHT]))).weights.own == WORDS


def test_a_gain_within_its_own_standard_error_is_no_reason_for_vectors():
    even = (1.0, 2000, [RIGHT, WRONG], [RIGHT, WRONG])
    odd = (1.0, 1, [WRONG, *LOST, RIGHT], [RIGHT, WRONG])
    assert tune_weights(trial(even, odd)).weights.own == WORDS


def test_questions_in_other_words_are_left_alike_however_much_made_ones_favour_words():
    # As made questions do: in the documents' own words or not, words find them and vectors do not.
    found = tune_weights(
        trial(
            (1.0, 40, [RIGHT, WRONG], [WRONG, *LOST, RIGHT]),
            (0.2, 40, [RIGHT, WRONG], [WRONG, *LOST[:40], RIGHT]),
            (0.2, 60, [RIGHT, WRONG], [RIGHT, WRONG]),
        )
    )
    assert found.weights == RankingWeights(WORDS, ALIKE)


def test_questions_in_other_words_take_more_of_vectors_that_find_as_much_as_words_of_made_ones():
    found = tune_weights(
        trial(
            (1.0, 40, [RIGHT, WRONG], [WRONG, *LOST, RIGHT]),
            (0.2, 60, [WRONG, *LOST, RIGHT], [RIGHT, WRONG]),
        )
    )
    assert found.weights.own == WORDS
    assert found.weights.other is not None
    assert found.weights.other["dense"] > found.weights.other["lexical"]


def test_vectors_that_find_next_to_nothing_count_nowhere():
    found = tune_weights(trial((0.2, 60, [RIGHT, WRONG], [WRONG, *LOST, RIGHT])))
    assert found.weights == RankingWeights(WORDS, WORDS)


def test_questions_that_people_asked_may_choose_words_alone_for_all():
    asked = trial(
        (1.0, 40, [RIGHT, WRONG], [WRONG, RIGHT]), (0.2, 40, [RIGHT, WRONG], [WRONG, RIGHT])
    )
    assert tune_weights(asked, are_own=True).weights == RankingWeights(WORDS, WORDS)
    assert tune_weights(asked).weights == RankingWeights(WORDS, ALIKE)


def test_what_was_tried_is_what_the_questions_give():
    asked = trial((1.0, 3, [WRONG, RIGHT], [RIGHT, WRONG]))
    by_dense = {tried.weights["dense"]: tried for tried in tune_weights(asked).tried}
    assert by_dense[0.0].mrr == pytest.approx(1 / 2)
    rows = asked.measure_with(RankingWeights({"lexical": 0.0, "dense": 1.0}))
    assert [row["mrr"] for row in rows] == [1.0] * 3


def test_a_question_is_ranked_by_documents_each_once_at_its_best_chunk(tmp_path):
    from finewright.schema.passages import Document
    from rag.directions import Topics, index_of

    long = "\n\n".join(f"A card is blocked here, paragraph {i}. " + "word " * 40 for i in range(5))
    index = index_of(tmp_path, [Document("a", long), Document("b", "A loan.")], embedder=Topics())
    asked = ask_all(index, Topics(), [Question("card", ("a",)), Question("loan", ("b",))])
    ranked = [asked.rank(each, {"lexical": 1.0, "dense": 1.0}) for each in asked.answered]
    assert ranked == [["a", "b"], ["b", "a"]]
    index.close()
