"""Which words of two texts are sure to be no slip of the pen of each other."""

import pytest

from finewright.guard.duplicates.slips import unlike


@pytest.mark.parametrize("word", ["quickly", "größe"])
def test_words_are_unlike_none_where_there_are_no_others(word: str) -> None:
    assert unlike([word], []) == ([word], [])
    assert unlike([], [word]) == ([], [word])


def test_words_that_may_be_misspelled_are_not_sure_to_be_other() -> None:
    assert unlike(["quickly", "house"], ["quikly", "dog"]) == (["house"], ["dog"])
