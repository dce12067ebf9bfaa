"""36 kinds of malformed files of public issues, and 36 more: the rows meant, or one line with its place."""

import pytest

from .malformed import Malformed, cases, mistakes
from .malformed_files import cases as more_cases


def test_there_are_36_kinds() -> None:
    assert [len({case.kind for case in kinds}) for kinds in (cases(), more_cases())] == [36, 36]


@pytest.mark.parametrize("case", [*cases(), *more_cases()], ids=lambda case: case.kind)
def test_a_malformed_file_is_handled_as_a_person_would_want(case: Malformed) -> None:
    assert mistakes(case) == []
