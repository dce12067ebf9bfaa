"""The split: repeatable, stable when rows are added, and never one row on both sides."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from finewright.data.split import groups_by, split
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


def grouped(values: list[str]) -> list[Row]:
    made = rows(*(str(i) for i in range(len(values))))
    return [
        Row(row.id, row.messages, None, "f", row.row, columns={"meta": {"customer": value}})
        for row, value in zip(made, values, strict=True)
    ]


GROUPED = st.lists(st.sampled_from("ABCDEFGH"), max_size=30)


@settings(max_examples=100, deadline=None)
@given(GROUPED, FRACTION, st.integers(), GROUPED)
def test_a_group_is_on_one_side_and_added_rows_move_none(values, fraction, seed, added):
    made = grouped([*values, *added])
    names = groups_by(made, "meta.customer").names
    train, held_out = split(made, fraction, seed, groups=names)
    sides = [{row.columns["meta"]["customer"] for row in side} for side in (train, held_out)]
    assert len(train) + len(held_out) == len(made)
    assert sides[0] & sides[1] == set()
    assert bool(train) == bool(made)
    some = len(values)
    before = split(made[:some], fraction, seed, groups=names[:some])
    assert {row.id for row in before.eval} <= {row.id for row in held_out}


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 19), st.integers(0, 19)), max_size=20),
    GROUPED.filter(lambda values: len(values) >= 20),
    FRACTION,
)
def test_near_rows_and_their_groups_are_on_one_side(near, values, fraction):
    made = grouped(values)
    names = groups_by(made, "meta.customer").names
    held_out = {row.id for row in split(made, fraction, 0, groups=names, near=near).eval}
    for one, other in near:
        assert (made[one].id in held_out) == (made[other].id in held_out)
    for i, row in enumerate(made):
        assert (row.id in held_out) == (made[values.index(values[i])].id in held_out)


def test_rows_that_ask_the_same_stay_together_across_groups():
    made = [prompt("a", "Q"), prompt("b", "Q"), prompt("c", "R")]
    for seed in range(20):
        train, held_out = split(made, 0.5, seed, groups=["x", "y", "z"])
        assert {row.id for row in train} >= {"a", "b"} or {row.id for row in held_out} >= {"a", "b"}


def test_rows_without_their_group_are_one_clear_error():
    made = [*grouped(["A"]), *rows("b", "c")]
    (problem,) = groups_by(made, "meta.customer").problems
    assert problem.level == "error"
    assert problem.line() == (
        "f:1: data.group_by: 2 of 3 rows have no 'meta.customer', this one first (the columns are meta)"
    )
    assert groups_by(rows("a"), "x").problems[0].hint == "the rows have no such columns"
    assert groups_by(grouped(["A"]), "meta.customer").problems == ()
