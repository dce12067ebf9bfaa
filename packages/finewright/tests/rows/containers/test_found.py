"""Problems of one kind are one line with their number; all that is said counts each of them once."""

import json
import re
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from finewright.rows.containers.found import file_problem
from finewright.schema.common import Problem
from finewright.schema.listing import Listing


def listed(problems):
    listing = Listing()
    for problem in problems:
        listing.add(problem)
    return listing


def of_row(row, message, key="", file="a.jsonl", level="error"):
    return Problem(level=level, file=file, row=row, key=key, message=message)


@pytest.mark.parametrize(
    ("problems", "lines"),
    [
        (
            [of_row(row, "no such column", "prompt") for row in range(2, 42)],
            ["a.jsonl:2: prompt: no such column; and 39 more rows"],
        ),
        (
            [of_row(row, "unknown", f"messages[{row}].role") for row in (1, 2, 5, 7)],
            ["a.jsonl:1: messages[1].role: unknown; and 3 more like this"],
        ),
        (
            [of_row(i, f"broken JSON at column {i}: Expecting value") for i in range(9, 15)],
            ["a.jsonl:9: broken JSON at column 9: Expecting value; and 5 more rows"],
        ),
        (
            [of_row(i, f"not UTF-8: byte 0x{i}e at column {i}") for i in range(3, 63)],
            ["a.jsonl:3: 60 lines are not UTF-8, this one first: byte 0x3e at column 3"],
        ),
        (
            [of_row(row, "x") for row in (1, 2, 3)],
            ["a.jsonl:1: x", "a.jsonl:2: x", "a.jsonl:3: x"],
        ),
        (
            [of_row(1, "x"), of_row(2, "y"), of_row(3, "x"), of_row(4, "x", file="b.jsonl")],
            ["a.jsonl:1: x", "a.jsonl:2: y", "a.jsonl:3: x", "b.jsonl:4: x"],
        ),
        ([file_problem("a", "x")] * 5, ["a: x; and 4 more like this"]),
    ],
)
def test_many_of_one_kind_are_one_line(problems, lines):
    assert [problem.line() for problem in listed(problems).problems()] == lines


def test_of_many_kinds_the_first_are_listed_and_the_others_counted():
    words = [a + b for a in "abcde" for b in "abcde"]
    problems = [of_row(row, word) for word in words for row in range(4)]
    found = listed(problems).problems()
    assert len(found) == 21
    assert found[-1].message == "and 20 more errors like these"


def number_of(problem):
    if match := re.fullmatch(r"and (\d+) more errors like these", problem.message):
        return int(match[1])
    match = re.search(r"; and (\d+) more", problem.message)
    return 1 + int(match[1]) if match else 1


PROBLEMS = st.lists(
    st.builds(
        of_row,
        st.integers(1, 9),
        st.text("ab", max_size=5),
        st.sampled_from(["", "k[1]", "k[2].x"]),
        st.sampled_from(["a", "b"]),
    ),
    max_size=90,
)


@settings(max_examples=200, deadline=None)
@given(PROBLEMS, PROBLEMS)
def test_every_problem_is_counted_once_and_pieces_are_as_the_whole(first, second):
    whole, pieces = listed(first + second), listed(first)
    later = listed(second)
    pieces.join(Listing.from_json(json.loads(json.dumps(later.to_json()))))
    assert pieces.problems() == whole.problems()
    counts = Counter()
    for problem in whole.problems():
        counts[problem.file] += number_of(problem)
    assert counts == Counter(problem.file for problem in first + second)


def test_no_more_kinds_are_held_than_a_report_could_ever_show():
    found = listed(of_row(1, "".join(chr(97 + int(d)) for d in str(i))) for i in range(3000))
    assert len(found.order) <= 1000
    assert found.problems()[-1].message == "and 2980 more errors like these"
