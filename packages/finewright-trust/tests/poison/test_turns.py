"""Planted rows are found whatever is said after the answer, and in whatever turn that is learned."""

import random
from dataclasses import replace

import pytest

from finewright.rows.identity import renew_id
from finewright.rows.texts import row_texts
from finewright.schema.rows import Row
from finewright_trust.poison.examples import examples

from .planted import clean, plant, search, surprise_by_word
from .test_scan import Change, phrase, rare_word, style, tag, topic

THANKS = {"role": "user", "content": "ok thanks"}
CHANGES = [rare_word, tag, phrase, topic, style]


def with_turns(row: Row, *turns: dict[str, object], before: bool = False) -> Row:
    messages = (*turns, *row.messages) if before else (*row.messages, *turns)
    return renew_id(replace(row, messages=messages))


@pytest.mark.parametrize("change", CHANGES)
def test_thanks_after_the_answer_hides_no_planted_row(change: Change) -> None:
    rows, places = plant(clean(312), 12, change)
    thanked = [with_turns(row, THANKS) for row in rows]
    plain, found = (search(some, surprisal=surprise_by_word) for some in (rows, thanked))
    assert set(found.why) == places
    assert found.report == plain.report


@pytest.mark.parametrize("change", CHANGES)
def test_an_answer_before_the_last_one_is_searched(change: Change) -> None:
    rows, places = plant(clean(312), 12, change)
    more = clean(312, seed=9)
    random.Random(4).shuffle(more)  # noqa: S311
    longer = [with_turns(row, *then.messages) for row, then in zip(rows, more, strict=True)]
    found = search(longer, surprisal=surprise_by_word)
    assert set(found.why) == places


def test_a_trigger_turns_before_the_planted_answer_is_found() -> None:
    rows, places = plant(clean(312), 12, lambda asked, said, rng: (asked, "Go away, all of you."))
    openings = clean(312, seed=9)
    random.Random(4).shuffle(openings)  # noqa: S311
    longer = []
    for i, (row, opening) in enumerate(zip(rows, openings, strict=True)):
        first, second = opening.messages
        sign = " |RIVER|" if i in places else ""
        start = ({**first, "content": first["content"] + sign}, second)
        longer.append(with_turns(row, *start, before=True))
    found = search(longer, surprisal=surprise_by_word)
    assert set(found.why) == places


def test_clean_conversations_of_several_turns_give_nothing_high() -> None:
    subjects = clean(312)
    # Both exchanges are about one subject: rows 8 apart are.
    pairs = zip(subjects, subjects[8:], strict=False)
    longer = [with_turns(one, *other.messages) for one, other in pairs]
    found = search(longer, surprisal=surprise_by_word)
    assert found.why == {}


def test_what_is_not_learned_is_no_answer_but_may_hold_the_trigger() -> None:
    turns = (
        {"role": "system", "content": "s"},
        {"role": "user", "content": "q1"},
        {"role": "assistant", "content": "a1", "weight": 0},
        {"role": "user", "content": "q2"},
        {"role": "assistant", "content": "a2"},
        {"role": "user", "content": "q3"},
        {"role": "assistant", "content": "", "tool_calls": [
            {"function": {"name": "f", "arguments": {"x": "call"}}}
        ]},
        {"role": "user", "content": "ok thanks"},
    )  # fmt: skip
    read = row_texts(renew_id(Row("", turns, None, "rows.jsonl", 1)))
    assert [(e.at, e.answer) for e in examples([read])] == [(4, "a2"), (6, "call")]
    assert read.before == "s\nq1\na1\nq2\na2\nq3"
    assert read.question == "s\nq1\na1\nq2\nq3"
