"""Values that were found once, wherever else they stand."""

import pytest

from finewright.guard.privacy.find import SECRETS
from finewright.guard.privacy.texts import values_again


@pytest.mark.parametrize(
    ("value", "type_", "text", "again"),
    [
        ("1985/03/05", "date_of_birth", "\u3057\u305f\u30021985/03/05\u3092\u767b\u9332", ["1985/03/05"]),
        ("1985/03/05", "date_of_birth", "1985/03/055, x1985/03/05", []),
        ("1985/03/05", "date_of_birth", "scan_1985/03/05_2", ["1985/03/05"]),
        ("Anna Bergermann", "name", "XAnna Bergermann", ["Bergermann"]),
        ("Anna Bergermann", "name", "Anna Bergermanns Auto", ["Anna Bergermann"]),
        ("Anna Bergermann", "name", "Anna Bergermann, Bergermanns", ["Anna Bergermann"]),
    ],
)  # fmt: skip
def test_a_value_is_found_where_it_is_whole(value, type_, text, again):
    finder = values_again([(value, type_)], SECRETS)
    assert finder is not None
    assert [text[span.start : span.end] for span in finder(text)] == again


def test_a_shorter_value_is_found_where_the_longer_is_glued():
    finder = values_again([("Kowalczyk Bergermann", "name")], SECRETS)
    assert finder is not None
    assert [(span.start, span.end) for span in finder("Kowalczyk Bergermannsohn")] == [(0, 9)]
