"""The least difference that so many rows show."""

import pytest

from finewright_advice.judge.pairwise import detectable, rows_needed


@pytest.mark.parametrize("rows", [60, 100, 626, 5000])
def test_it_is_the_inverse_of_the_rows_needed(rows):
    found = detectable(rows, 0.2)
    assert found is not None
    assert rows_needed(found, 0.2) <= rows
    assert rows_needed(found * 0.99, 0.2) > rows


def test_too_few_rows_show_nothing():
    assert detectable(5, 0.2) is None
    assert detectable(0, 0.2) is None
