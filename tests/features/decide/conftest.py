"""Advice whose shares of wins nobody looks at."""

from collections.abc import Iterator

import pytest

from finewright.features.decide import sensitivity


@pytest.fixture(scope="module")
def few_cases() -> Iterator[None]:
    """The shares of wins are counted over 4 cases, not 80: most of the seconds of an advice."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sensitivity, "NUM_CASES", 4)
        yield
