"""Languages of texts that are known: the first article of the Universal Declaration of Human Rights."""

# ruff: noqa: RUF001 - each text stands in its own script

import pytest

from finewright.guard.quality.languages import TOO_SHORT, UNCLEAR, detector

ARTICLE_1 = {
    "en": "All human beings are born free and equal in dignity and rights. They are endowed with reason and "
    "conscience and should act towards one another in a spirit of brotherhood.",
    "de": "Alle Menschen sind frei und gleich an Würde und Rechten geboren. Sie sind mit Vernunft und "
    "Gewissen begabt und sollen einander im Geist der Brüderlichkeit begegnen.",
    "fr": "Tous les êtres humains naissent libres et égaux en dignité et en droits. Ils sont doués de raison "
    "et de conscience et doivent agir les uns envers les autres dans un esprit de fraternité.",
    "es": "Todos los seres humanos nacen libres e iguales en dignidad y derechos y, dotados como están de "
    "razón y conciencia, deben comportarse fraternalmente los unos con los otros.",
    "it": "Tutti gli esseri umani nascono liberi ed eguali in dignità e diritti. Essi sono dotati di ragione "
    "e di coscienza e devono agire gli uni verso gli altri in spirito di fratellanza.",
    "pt": "Todos os seres humanos nascem livres e iguais em dignidade e em direitos. Dotados de razão e de "
    "consciência, devem agir uns para com os outros em espírito de fraternidade.",
    "nl": "Alle mensen worden vrij en gelijk in waardigheid en rechten geboren. Zij zijn begiftigd met "
    "verstand en geweten, en behoren zich jegens elkander in een geest van broederschap te gedragen.",
    "pl": "Wszyscy ludzie rodzą się wolni i równi pod względem swej godności i swych praw. Są oni obdarzeni "
    "rozumem i sumieniem i powinni postępować wobec innych w duchu braterstwa.",
    "ru": "Все люди рождаются свободными и равными в своем достоинстве и правах. Они наделены разумом и "
    "совестью и должны поступать в отношении друг друга в духе братства.",
    "zh": "人人生而自由,在尊严和权利上一律平等。他们赋有理性和良心,并应以兄弟关系的精神相对待。",
    "ja": "すべての人間は、生まれながらにして自由であり、かつ、尊厳と権利とについて平等である。",
}

language_of = detector()


@pytest.mark.parametrize("language", sorted(ARTICLE_1))
def test_known_texts_are_told(language: str) -> None:
    assert language_of(ARTICLE_1[language]) == language


@pytest.mark.parametrize(
    "text", ["", "ok", "{}", "42 - 17 = 25", "https://example.org/a/long/path/here"]
)
def test_too_little_is_not_judged(text: str) -> None:
    assert language_of(text) == TOO_SHORT


def test_letters_without_words_are_unclear() -> None:
    assert language_of("xqzv wkjq zzqx vvkq jxqz qwkx zvjq xkqz") == UNCLEAR


def test_code_and_links_do_not_count() -> None:
    text = f"```python\nfor item in all_the_english_words: print(item)\n```\n{ARTICLE_1['de']}"
    assert language_of(text) == "de"
