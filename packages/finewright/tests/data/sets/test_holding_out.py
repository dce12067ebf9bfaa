"""Families: held out whole, and joined by what their rows share."""

from hypothesis import given
from hypothesis import strategies as st

from finewright.data.sets.build import hold_out_families, join_families

MARKS = st.lists(st.sets(st.sampled_from("abcdefgh"), min_size=1), max_size=12)


def by_hand(marks: list[set[str]]) -> set[frozenset[int]]:
    """Connected rows: each row's reach, grown until nothing is added."""
    families = set()
    for first in range(len(marks)):
        family = {first}
        while more := {
            row
            for row, of_row in enumerate(marks)
            if row not in family and any(of_row & marks[other] for other in family)
        }:
            family |= more
        families.add(frozenset(family))
    return families


@given(MARKS)
def test_rows_are_of_one_family_exactly_if_marks_connect_them(marks):
    names = join_families([sorted(of_row) for of_row in marks])
    families = {frozenset(i for i, n in enumerate(names) if n == name) for name in names}
    assert families == by_hand(marks)


@given(st.lists(st.sampled_from("abcdef"), min_size=1), st.floats(0, 0.99), st.integers(0, 3))
def test_no_more_rows_are_held_out_than_wanted(families, share, seed):
    held_out = hold_out_families(families, share, seed)
    assert sum(family in held_out for family in families) <= round(share * len(families))
    assert held_out == hold_out_families(reversed(families), share, seed)


def test_another_seed_holds_out_other_families():
    families = [str(number) for number in range(100)]
    assert hold_out_families(families, 0.1, 0) != hold_out_families(families, 0.1, 1)
    assert len(hold_out_families(families, 0.1, 0)) == 10
