"""What many files have is listed once, and no count is lost."""

import pytest

from finewright.schema.common import Problem
from finewright.schema.listing import list_problems


def error(file: int, row: int, message: str = "no answer") -> Problem:
    return Problem(level="error", file=f"f{file}", row=row, message=message)


@pytest.mark.parametrize(
    ("rows", "lines"),
    [
        ([2, 2, 2, 2], [(1, ""), (2, "; and 6 more rows in 3 more files, such as f1, f2, f3")]),
        ([1, 1, 1, 1], [(1, "; and in 3 more files, such as f1, f2, f3")]),
        ([1, 9, 2, 1, 1],
         [(1, "; and 13 more rows in 4 more files, such as f1, f2, f3")]),
        ([9, 2, 2, 2],
         [(1, "; and 8 more rows; and 6 more rows in 3 more files, such as f1, f2, f3")]),
    ],
)  # fmt: skip
def test_every_row_of_the_first_file_is_listed_or_counted_and_those_of_the_others_are_counted(
    rows: list[int], lines: list[tuple[int, str]]
) -> None:
    problems = [error(file, row + 1) for file, n in enumerate(rows) for row in range(n)]
    found = list_problems(problems)
    assert [(p.file, p.row, p.message) for p in found] == [
        ("f0", row, f"no answer{more}") for row, more in lines
    ]


def test_what_few_files_have_is_listed_for_each() -> None:
    problems = [error(file, row) for file in range(3) for row in (1, 2)]
    assert list_problems(problems) == tuple(problems)
