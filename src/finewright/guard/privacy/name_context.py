"""What phrases around a word say of it: an introduced or thanked name, a German noun, a product."""

from collections.abc import Iterator

from finewright.guard.privacy.name_features import SplitWords

_INTRODUCTIONS = frozenset({
    "me llamo", "nombre es", "mi chiamo", "nome è", "m'appelle", "nom est", "name is", "name ist",
    "ich heiße", "ich heisse", "chamo-me", "nome é", "naam is", "ik heet", "nazywam się",
    "меня зовут", "мене звати",
})  # fmt: skip
_THANKS = frozenset({
    "thanks", "thank you", "danke", "merci", "gracias", "grazie", "obrigado", "obrigada", "bedankt",
    "dziękuję", "спасибо", "здравствуйте", "привет", "дякую", "благодаря",
})  # fmt: skip
# Words of German and of no language around that writes its nouns small.
_GERMAN = frozenset({
    "für", "und", "ich", "nicht", "ist", "wir", "eine", "einen", "einer", "ihre", "wird", "werden", "habe",
    "haben", "mein", "meine", "bitte", "geehrte", "geehrter", "freundlichen", "liebe", "grüße", "gruß",
})  # fmt: skip
_GERMAN_IN_PAIRS = frozenset({
    "der", "die", "das", "dem", "zu", "im", "auf", "bei", "zum", "zur", "von",
})  # fmt: skip
_PRODUCTS = frozenset({
    "account", "accounts", "card", "cards", "plan", "plans", "loan", "mortgage", "package", "subscription",
    "membership", "tariff",
})  # fmt: skip


def named_by_phrase(words: SplitWords) -> Iterator[int]:
    """Places of listed names that are introduced ("me llamo José García") or thanked ("спасибо, Иван.")."""
    for at, kind in words.kinds.items():
        if "g" not in kind or "n" in kind:
            continue
        if _phrase(words, at) & _INTRODUCTIONS:
            yield at
            beside = at + 1
            while words.kind(beside)[0] == "A" and {"g", "s"} & set(words.kind(beside)):
                yield beside
                beside += 1
        elif _is_thanked(words, at) and not {"c", "p"} & set(kind):
            yield at


def _is_thanked(words: SplitWords, at: int) -> bool:
    is_between = words.lower(at - 1) == "," and words.lower(at + 1) in {".", "!", ",", "\n"}
    return is_between and bool(_phrase(words, at - 1) & _THANKS)


def _phrase(words: SplitWords, at: int) -> set[str]:
    """The word, and the two words, in front of a place."""
    before = words.lower(at - 1)
    return {before, f"{words.lower(at - 2)} {before}"}


def is_german(words: SplitWords) -> bool:
    """Is the text one in which every noun has a capital?"""
    lower = {word.lower() for word in words.texts}
    return not lower.isdisjoint(_GERMAN) or len(lower & _GERMAN_IN_PAIRS) > 1


def is_noun(words: SplitWords, at: int) -> bool:
    """In a German text, of one word: is no listed name in it or beside it, no title, no line of its own?

    Two words with capitals beside each other are seldom nouns there."""
    flags = (words.kind(at)[1:], words.kind(at - 1)[1:], words.kind(at + 1)[1:])
    if {"g", "s"} & set(flags[0]) or any({"g", "s"} & set(f) and "c" not in f for f in flags[1:]):
        return False
    is_signature = words.kind(at - 1) == "\n" and words.kind(at + 1) == "\n"
    is_called = words.kind(at - 1) == "T" or bool(_phrase(words, at) & _INTRODUCTIONS)
    return not (is_signature or is_called)


def is_product(words: SplitWords, first: int, last: int) -> bool:
    """An account, a card or a plan by its name: your Premier Saver account."""
    is_listed = {"g", "s"} & set(words.kind(first)[1:]) or words.kind(first - 1) == "T"
    return words.lower(last) in _PRODUCTS and not is_listed
