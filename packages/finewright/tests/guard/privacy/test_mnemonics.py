"""Seed phrases are found in every official language, and long texts of listed words cost no time."""

import random
import time
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mnemonic import Mnemonic

from finewright.guard.privacy.find import find
from finewright.guard.privacy.mnemonics import has_seed

LANGUAGES = Mnemonic.list_languages()
DRAW = random.Random(3)  # noqa: S311


def _found(text: str) -> list[str]:
    return [text[span.start : span.end] for span in find(text, {"mnemonic"})]


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("size", [16, 20, 24, 28, 32])
def test_a_phrase_of_the_reference_is_found_in_each_language(language: str, size: int) -> None:
    for _ in range(5):
        phrase = Mnemonic(language).to_mnemonic(DRAW.randbytes(size))
        assert _found(f"My wallet:\n{phrase}\nKeep it") == [phrase]


def test_a_phrase_is_found_without_accents_and_amid_words_of_the_list() -> None:
    phrase = Mnemonic("spanish").to_mnemonic(bytes(range(16)))
    assert Mnemonic("spanish").check(phrase)
    plain = "".join(
        sign for sign in unicodedata.normalize("NFD", phrase) if sign.isalpha() or sign == " "
    )
    assert len(_found(f"mi frase: {plain}")) == 1
    other = "legal winner thank year wave sausage worth useful legal winner thank yellow"
    around = "man use hand put"
    assert _found(f"{around} {around} {around} {around}\n{other}\n{around} {around} {around}") == [
        other
    ]


def test_a_russian_word_that_the_package_cannot_spell_is_known() -> None:
    broken = Mnemonic("russian").wordlist[1572]
    phrases = (Mnemonic("russian").to_mnemonic(DRAW.randbytes(32)) for _ in range(2_000))
    phrase = next(phrase for phrase in phrases if broken in phrase).replace(broken, "снова")
    assert _found(phrase) == [phrase]


def test_a_phrase_with_a_wrong_word_is_none() -> None:
    words = Mnemonic("english").wordlist
    phrases = [" ".join(DRAW.choices(words, k=12)) for _ in range(200)]
    wrong = [phrase for phrase in phrases if not Mnemonic("english").check(phrase)]
    assert [_found(f"seed: {phrase}.") for phrase in wrong if _found(f"seed: {phrase}.")] == []


@pytest.mark.parametrize("gap", [" ", "\n", ", "])
def test_thousands_of_listed_words_take_milliseconds_each_thousand(gap: str) -> None:
    text = gap.join(DRAW.choices(Mnemonic("english").wordlist, k=20_000))
    began = time.process_time()
    find(text, {"mnemonic"})
    assert time.process_time() - began < 20 * 0.2


def test_the_list_itself_is_no_phrase() -> None:
    assert _found("\n".join(Mnemonic("english").wordlist)) == []


def test_a_word_said_again_and_again_is_no_phrase() -> None:
    words = ["fall"] * 10
    phrases = (" ".join([*words, "final", word]) for word in Mnemonic("english").wordlist)
    assert not any(_found(phrase) for phrase in phrases)


@given(st.lists(st.booleans(), max_size=60))
def test_ten_listed_words_in_a_row_are_never_passed_over(listed: list[bool]) -> None:
    words = " ".join("abandon" if is_listed else "zzzz" for is_listed in listed)
    has_run = "1" * 10 in "".join("01"[is_listed] for is_listed in listed)
    assert has_seed(words) == has_run


@pytest.mark.parametrize("around", ["account {} account", "private key {}", "use {} and then"])
def test_a_phrase_beside_a_few_listed_words_is_found(around: str) -> None:
    for _ in range(20):
        phrase = Mnemonic("english").to_mnemonic(DRAW.randbytes(32))
        (found,) = _found(around.format(phrase))
        assert len(found.split()) >= 24
