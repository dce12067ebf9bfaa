"""Rows that mean the same are found without a model hub; other facts and other questions are kept apart."""

import pytest

from finewright.data.duplicates import find
from finewright.guard.duplicates.semantic import semantic_repeats
from finewright.rag.embed import words
from finewright.rows.texts import parts_of
from finewright.schema.duplicates import DuplicatesSpec

from .made import chat

pytest.importorskip("wordllama")

ANSWER = "Open the settings page, choose security, and follow the link that we send to your mail."
REORDERED = "Choose security, open the settings page, and follow the link we send to your mail."


def test_a_reordered_answer_to_the_same_question_is_found() -> None:
    rows = [
        chat("Please tell me how to reset my password", ANSWER, row=1),
        chat(
            "How do I delete my account?", "Write to the support team, they do it for you.", row=2
        ),
        chat("Tell me how to reset my password please.", REORDERED, row=3),
    ]
    found = semantic_repeats([parts_of(row) for row in rows], 0.9)
    assert {later: kept.row for later, kept in found.items()} == {2: 0}
    assert 0.9 <= found[2].similarity <= 1
    report = find(rows, DuplicatesSpec(near="off", semantic="drop", semantic_similarity=0.9)).report
    assert report.rows_dropped == {"semantic_duplicate": 1}


def test_other_facts_are_another_row() -> None:
    one = chat("What does the plan cost in 2024?", "The plan costs 100 euros a month in 2024.")
    other = chat("What does the plan cost in 2025?", "The plan costs 120 euros a month in 2025.")
    vectors = words.load().documents(
        [turn["content"] for row in (one, other) for turn in row.messages]
    )
    assert vectors[0] @ vectors[2] > 0.8
    assert semantic_repeats([parts_of(one), parts_of(other)], 0.8) == {}


def test_texts_without_words_have_a_vector_too() -> None:
    vectors = words.load().documents(["", "word", "  "])
    assert vectors.shape == (3, 256)
    assert (vectors**2).sum(axis=1) == pytest.approx([1, 1, 1], abs=1e-5)
