"""Amounts as people write them."""

import pytest

from finewright.schema.amounts import TOKENS, number_of


@pytest.mark.parametrize(
    "written", ["9" * 310, f"{'9' * 310} gb", f"{'9' * 305}gb", "9" * 309 + ".5"]
)
def test_a_number_that_no_float_holds_is_refused(written: str) -> None:
    with pytest.raises(ValueError, match="too large"):
        number_of(written, TOKENS)
    assert number_of("5 gb", TOKENS) == 5 * 2**30 / 4
