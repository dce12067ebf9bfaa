"""How answers behave, counted on answers that were made to."""

import pytest

from finewright.judge.statistics import wilson
from finewright.schema.evaluate import Sample
from finewright_advice.bakeoff.finalist import behaviour


def sample(row: int, answer: str, *, expected: str = "the price", stopped: bool = True) -> Sample:
    return Sample(
        system="tuned",
        data="test",
        row=row,
        prompt="What?",
        expected=expected,
        answer=answer,
        stopped=stopped,
        scores={},
    )


ENGLISH = "the price of the flat is higher than all that we have seen"
GERMAN = "der Preis ist so hoch wie noch kein anderer, den wir kennen"
SAMPLES = [
    sample(1, "the price"),
    sample(2, "again and again " * 8, stopped=False),
    sample(3, "цена высокая"),
    sample(4, GERMAN, expected=ENGLISH),
    sample(5, '{"a": 1', expected='{"a": 1}', stopped=False),
    sample(6, '{"a": 1}', expected='{"a": 1}'),
    sample(7, "na " * 40, expected="na " * 50),
]


def german(text: str) -> str | None:
    return "de" if "der" in text else "en"


def test_every_share_is_counted_by_hand() -> None:
    found = behaviour(SAMPLES, german, confidence=0.9)
    assert (found.ended.count, found.ended.n) == (5, 7)
    assert found.looped.count == 1  # the answer that is expected to repeat itself does not count
    assert found.other_script.count == 1
    assert found.other_language is not None
    assert found.other_language.count == 1
    assert found.valid_json is not None
    assert (found.valid_json.count, found.valid_json.n) == (1, 2)
    assert (found.ended.low, found.ended.high) == pytest.approx(wilson(5, 7, confidence=0.9))
    assert found.strays == (
        "test:3: Cyrillic: цена высокая",
        f"test:4: language de: {GERMAN}",
    )


def test_what_nobody_looked_for_is_not_said_to_be_absent() -> None:
    found = behaviour(SAMPLES[:2], None, confidence=0.9)
    assert found.other_language is None
    assert found.valid_json is None
