"""Patterns match as Python's do, in time that grows with the text; what cannot be matched so is refused."""

import random
import re
import time

import pytest

from finewright.errors import SpecError
from finewright.judge.patterns import MAX_CHARACTERS, Regex, compile_pattern


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
    "pattern", [r"(a|a)*b", r"(a+)+b", r"(?:\w+\s?)*b", r"(a*?)+b", "(?:a?){1000}a{1000}b"]
)
def test_what_takes_for_ever_elsewhere_ends_here(pattern: str) -> None:
    started = time.process_time()
    assert Regex(pattern)("a" * MAX_CHARACTERS) == 0.0
    assert time.process_time() - started < 1.0


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        (r"(?=a)b", "look-around"),
        (r"(a)\1", "a back reference"),
        (r"(a)?(?(1)b|c)", "a condition on a group"),
        (r"a++", "a possessive repeat"),
        (r"(?>a)", "an atomic group"),
        (r"(?:(?:a{0,90}){0,90}b){5}", "a count in counts of more than 1000"),
        (r"\w{1,5000}", "a pattern too large"),
        ("a" * 2001, "a pattern of 2001 characters"),
    ],
)
def test_what_no_linear_engine_matches_is_refused_by_name(pattern: str, said: str) -> None:
    with pytest.raises(SpecError, match=said) as caught:
        Regex(pattern)
    assert len(str(caught.value)) < 250


@pytest.mark.parametrize(
    "pattern",
    [
        *(r"a.b", r"(?s).", r"[^\w]", r"^[^a-z\d]+?\b(?P<x>k|l){2,3}(?i:z)\Z", r"\{\"a\"", "{.*}"),
        *(r"[\s\S]", "[[:alpha:]]", "[a&&b]", r"\<a", "(?i)stra\u00dfe", r"(?a)\w+\b", r"[\]\-a]"),
        *("", "a||b", "(?m)^a$", r"\Bb", "(?x) a b # c", "(?i)[k-s]", r"\d{2,}", "x*?y", r"\W\D\S"),
    ],
)
@pytest.mark.filterwarnings("ignore:Possible (nested set|set intersection):FutureWarning")
def test_a_pattern_is_read_as_python_reads_it(pattern: str) -> None:
    """1,000 texts of signs that patterns tell apart: `re` itself is the referee."""
    rng = random.Random(1)  # noqa: S311 - no secret
    ours, pythons = compile_pattern(pattern), re.compile(pattern)
    signs = 'abkzLZ1_ -\n{}"<&[]:\u00dfSK\u017f\u212a\u00e9\x1c\u0663'
    for _ in range(1000):
        text = "".join(rng.choice(signs) for _ in range(rng.randrange(8)))
        assert ours.is_in(text) == bool(pythons.search(text)), text
