"""Scripts against the Unicode property as another library has it, and drift on answers made for it."""

import unicodedata
from collections import Counter

import pytest

from finewright.judge.drift import other_language, other_script, scripts

regex = pytest.importorskip("regex")

LIVING = [
    "Latin",
    "Cyrillic",
    "Greek",
    "Han",
    "Hiragana",
    "Katakana",
    "Hangul",
    "Arabic",
    "Hebrew",
    "Devanagari",
    "Thai",
    "Bengali",
    "Tamil",
    "Armenian",
    "Georgian",
    "Ethiopic",
    "Khmer",
    "Telugu",
    "Kannada",
    "Malayalam",
    "Gujarati",
    "Gurmukhi",
    "Sinhala",
    "Lao",
    "Myanmar",
    "Tibetan",
]


@pytest.mark.parametrize("script", LIVING)
def test_letters_have_the_script_that_unicode_gives_them(script: str) -> None:
    of_script = regex.compile(rf"\p{{Script={script}}}")
    letters = [
        character
        for code in range(0x3400 if script != "Han" else 0x30000)
        if unicodedata.category(character := chr(code)).startswith("L")
        and unicodedata.name(character, "")
        and of_script.match(character)
    ]
    found = scripts("".join(letters))
    # Superscript letters and the like count as none; nearly all others as their own.
    assert found[script.upper()] >= 0.85 * len(letters) > 0
    assert set(found) <= {script.upper(), "TURNED", "ROMAN", "VERTICAL", "OLD"}


def test_only_letters_count() -> None:
    assert scripts('{"a": 1.5} -- ₿ 😀 \u0301 日本') == Counter({"LATIN": 1, "HAN": 2})


@pytest.mark.parametrize(
    ("answer", "asked", "expected", "script"),
    [
        ("The capital is Париж.", "Capital of France?", "Paris", "CYRILLIC"),
        ("The capital is Paris.", "Capital of France?", "Paris", ""),
        ("Столица - Paris", "Столица Франции?", "Paris", ""),  # asked in both
        ("Paris", "Capital of France, in Russian?", "Париж", "LATIN"),  # answers in the wrong one
        ("Париж", "Capital of France, in Russian?", "Париж", ""),
        ("首都はパリです", "フランスの首都は?", "パリ", ""),
        (
            "\u03b1 decays slowly in the nucleus",
            "What decays?",
            "alpha",
            "",
        ),  # one letter is a symbol
        ("", "Q", "A", ""),
        ("12 %", "Share?", "13 %", ""),
        ("完", "Done?", "yes", ""),
        ("x" * 100 + "дата", "Q", "A", ""),  # under a tenth of the letters
    ],
)
def test_a_script_that_nobody_asked_for(
    answer: str, asked: str, expected: str, script: str
) -> None:
    assert other_script(answer, asked, expected) == script


def language_of(text: str) -> str | None:
    """Counts a few words: a stand-in that errs on nothing."""
    words = set(text.casefold().split())
    known = {"en": {"the", "is", "of"}, "de": {"der", "ist", "die"}}
    return next((name for name, typical in known.items() if words & typical), None)


@pytest.mark.parametrize(
    ("answer", "expected", "language"),
    [
        ("der Preis ist hoch", "the price is high", "de"),
        ("the cost is large", "the price is high", ""),
        ("der price ist high", "the price is high", ""),  # half of the words are the same
        ("???", "the price is high", ""),
        ("der Preis", "???", ""),  # nobody knows what was expected
        ('{"the": "der Preis ist"}', '{"der": "the price is"}', "de"),  # keys say nothing
        ('{"text": ["the cost", {"deep": "is of"}]}', '{"text": "the price"}', ""),
        ("", "", ""),
    ],
)
def test_a_language_that_nobody_asked_for(answer: str, expected: str, language: str) -> None:
    assert other_language(answer, expected, language_of) == language
