"""Advice of which a test looks at a part, and that is cheaper without the rest."""

from collections.abc import Iterator

import pytest

from decide.advising import only_middle
from finewright_advice.decide import sensitivity


@pytest.fixture
def few_cases() -> Iterator[None]:
    """The shares of wins are counted over 4 cases, not 80: most of the seconds of an advice."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sensitivity, "NUM_CASES", 4)
        yield


@pytest.fixture
def middle_alone() -> Iterator[None]:
    """No input is looked at but at its middle."""
    with only_middle():
        yield
