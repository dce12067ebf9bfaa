"""Mentions: what stands in an answer, whatever form the answer has."""

import pytest

from finewright.judge.text import mentions

EXPECTED = '{"intent":"Redeem","fields":{"Amount":"3239 LINK","To":"0xab","Times":2,"All":true}}'


@pytest.mark.parametrize(
    ("answer", "share"),
    [
        (EXPECTED, 1.0),
        ("Redeem 3239 LINK to 0xab, 2 times: true", 1.0),
        ("You Redeem 3239 LINK.", 3 / 5),  # the 2 of 3239 counts too
        ("redeem", 0.0),
        ("", 0.0),
    ],
)
def test_the_values_of_json_count_each(answer: str, share: float) -> None:
    assert mentions(answer, EXPECTED) == share


@pytest.mark.parametrize(("answer", "share"), [("It is Paris.", 1.0), ("It is Rome.", 0.0)])
def test_text_that_is_no_json_counts_whole(answer: str, share: float) -> None:
    assert mentions(answer, " Paris\n") == share


def test_an_empty_container_is_a_value() -> None:
    assert mentions("nothing: {}", '{"a": {}, "b": []}') == 0.5
