"""Patterns match whole answers, and those that could run without end are refused beforehand."""

import time

import pytest

from finewright.errors import SpecError
from finewright.judge.patterns import MAX_CHARACTERS, Regex


@pytest.mark.parametrize(
    ("pattern", "answer", "score"),
    [
        (r"\d+", " 42\n", 1.0),
        (r"\d+", "42 apples", 0.0),
        (r"<think>.*</think>\s*<answer>.*</answer>", "<think>a</think>\n<answer>b</answer>", 1.0),
        (r"a.b", "a\nb", 0.0),
        (r"(?s)a.b", "a\nb", 1.0),
        (r"", "", 1.0),
        (r"a*", "a" * MAX_CHARACTERS, 1.0),
        (r"a*", "a" * (MAX_CHARACTERS + 1), 0.0),
    ],
)
def test_a_pattern_matches_the_whole_stripped_answer(
    pattern: str, answer: str, score: float
) -> None:
    assert Regex(pattern)(answer) == score


@pytest.mark.parametrize("pattern", ["(", "[a", "*", "a{99999999999999999999}", "(?P<1>a)"])
def test_what_is_no_pattern_is_one_line(pattern: str) -> None:
    with pytest.raises(SpecError, match="not a regular expression") as caught:
        Regex(pattern)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "pattern",
    [r"(a+)+", r"(\w+\s?)*", r"(x|yy+)*", r"(?=(a+)+)b", r"(?>(a+)*c)+", r"(a*?)+", r"(?:a+){20}b"],
)
def test_a_repeat_in_a_repeat_is_refused_with_the_mend(pattern: str) -> None:
    with pytest.raises(SpecError, match="a repeat in a repeat can take for ever") as caught:
        Regex(pattern)
    assert "possessive" in caught.value.hint


@pytest.mark.parametrize(
    "pattern", [r"(?:\w++\s?)*", r"(?:(?>a+)b?)*", r"(a{3})+", r"(\w+ ?){2,5}"]
)
def test_a_repeat_that_gives_nothing_back_is_fine_and_fast(pattern: str) -> None:
    started = time.process_time()
    Regex(pattern)("a" * 60 + "!")
    assert time.process_time() - started < 1.0
