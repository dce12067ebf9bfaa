"""Groups are the connected components of their pairs; a row is left out only for one that stays."""

from hypothesis import given, settings
from hypothesis import strategies as st

from finewright.guard.duplicates.layout import Original, join_pairs, leaders

PAIRS = st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=15)


def components(num_rows: int, pairs: list[tuple[int, int]]) -> list[int]:
    """By flooding, as a reference: the lowest row that each one reaches."""
    lowest = list(range(num_rows))
    for _ in range(num_rows):
        for a, b in pairs:
            lowest[a] = lowest[b] = min(lowest[a], lowest[b])
    return lowest


@settings(max_examples=200, deadline=None)
@given(PAIRS, st.randoms())
def test_groups_are_connected_components_in_any_order(pairs, rng) -> None:
    found = join_pairs(10, pairs)
    assert found == components(10, pairs)
    rng.shuffle(pairs)
    assert join_pairs(10, pairs) == found


@settings(max_examples=200, deadline=None)
@given(PAIRS)
def test_a_row_is_left_out_only_for_one_that_stays(pairs) -> None:
    near = {tuple(sorted(pair)) for pair in pairs if pair[0] != pair[1]}
    ordered = sorted(near, key=lambda pair: (pair[1], pair[0]))
    found = leaders(ordered, lambda a, b: 0.9 if (a, b) in near else None).found
    for later, kept in found.items():
        assert (kept.row, later) in near
        assert kept.row not in found
    stay = [row for row in range(10) if row not in found]
    assert not {(a, b) for a in stay for b in stay} & near


def test_the_end_of_a_chain_stays() -> None:
    near = {(0, 1): 0.9, (1, 2): 0.85}
    assert leaders(near, lambda a, b: near.get((a, b))).found == {1: Original(0, 0.9)}


def test_a_row_is_compared_with_so_many_and_who_is_not_compared_with_all_is_known() -> None:
    pairs = [(a, b) for b in range(1, 6) for a in range(b)]
    tried: list[tuple[int, int]] = []

    def near(a: int, b: int) -> float | None:
        tried.append((a, b))
        return 0.9 if (a, b) == (0, 5) else None

    led = leaders(pairs, near, most_compared=2)
    assert tried == [(0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (0, 4), (1, 4), (0, 5)]
    assert led.unfinished == {3, 4}
    assert led.found == {5: Original(0, 0.9)}
