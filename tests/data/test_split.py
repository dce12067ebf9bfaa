"""The split: repeatable, stable when rows are added, and never one row on both sides."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from finewright.data.split import split
from finewright.schema.rows import Row

USER = {"role": "user", "content": "Q"}
ANSWER = {"role": "assistant", "content": "A"}


def rows(*ids: str) -> tuple[Row, ...]:
    return tuple(
        Row(id=row_id, messages=(USER, ANSWER), tools=None, file="f", row=i)
        for i, row_id in enumerate(ids, start=1)
    )


IDS = st.lists(st.text("0123456789abcdef", min_size=1, max_size=2), max_size=40)
FRACTION = st.floats(0, 0.5)


@settings(max_examples=100, deadline=None)
@given(IDS, FRACTION, st.integers())
def test_every_row_is_on_one_side_in_its_order(ids, fraction, seed):
    train, held_out = split(rows(*ids), fraction, seed)
    assert sorted((*train, *held_out), key=lambda row: row.row) == list(rows(*ids))
    assert [r.row for r in train] == sorted(r.row for r in train)
    assert [r.row for r in held_out] == sorted(r.row for r in held_out)
    assert not {r.id for r in train} & {r.id for r in held_out}
    assert bool(train) == bool(ids)


@settings(max_examples=100, deadline=None)
@given(IDS, FRACTION, IDS)
def test_rows_that_are_added_move_no_other(ids, fraction, added):
    before = {row.id for row in split(rows(*ids), fraction, 0).eval}
    after = {row.id for row in split(rows(*ids, *added), fraction, 0).eval}
    assert before <= after


def test_the_share_is_met_on_average():
    many = rows(*(str(i) for i in range(10_000)))
    assert len(split(many, 0.2, 0).eval) == pytest.approx(2000, abs=150)


def test_another_seed_holds_out_other_rows():
    many = rows(*(str(i) for i in range(100)))
    assert split(many, 0.3, 0) == split(many, 0.3, 0)
    assert split(many, 0.3, 0).eval != split(many, 0.3, 1).eval


def test_nothing_is_held_out_unless_asked():
    assert split(rows("a", "b"), 0.0, 0).eval == ()


def pair(row_id: str, asked: str) -> Row:
    question = USER | {"content": asked}
    other = ANSWER | {"content": row_id}
    return Row(row_id, (question, ANSWER), None, "f", 1, rejected=(question, other))


def labelled(row_id: str, asked: str) -> Row:
    answer = ANSWER | {"content": row_id}
    return Row(row_id, (USER | {"content": asked}, answer), None, "f", 1, label=row_id > "m")


def prompt(row_id: str, asked: str) -> Row:
    return Row(row_id, (USER | {"content": asked},), None, "f", 1, columns={"answer": row_id})


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.builds(
            lambda make, row_id, asked: make(row_id, asked),
            st.sampled_from([pair, labelled, prompt]),
            st.text("abyz", min_size=1, max_size=4),
            st.sampled_from("ABCDEFGH"),
        )
    ),
    FRACTION,
)
def test_rows_that_ask_the_same_stay_together(made, fraction):
    train, held_out = split(made, fraction, 0)
    assert len(train) + len(held_out) == len(made)
    asked = [{row.messages[0]["content"] for row in side} for side in (train, held_out)]
    assert asked[0] & asked[1] == set()
    assert bool(train) == bool(made)


def test_conversations_are_placed_by_their_ids_as_ever():
    held_out = split(rows(*(str(i) for i in range(20))), 0.3, 0).eval
    assert [row.id for row in held_out] == ["4", "7", "15", "18"]
