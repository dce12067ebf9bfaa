"""What phrases around a word say of it: an introduced or thanked name, a product."""

from collections.abc import Iterator
from itertools import takewhile

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
_ADDRESSED = frozenset({"mr", "mrs", "ms"})
# In capitals among small letters these are a firm and a scan: MS Word, MR Head.
_ABBREVIATIONS = frozenset({"MR", "MS"})
_WORDS_AROUND = 12  # how far on each side a line is read
_PRODUCTS = frozenset({
    "account", "accounts", "card", "cards", "plan", "plans", "loan", "mortgage", "package", "subscription",
    "membership", "tariff",
})  # fmt: skip


def named_by_phrase(words: SplitWords) -> Iterator[int]:
    """Places of listed names that are introduced (me llamo José), thanked (спасибо, Иван.) or after a Mr."""
    for at, kind in words.kinds.items():
        if "s" in kind and "n" not in kind and _is_addressed(words, at):
            yield at
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


def _is_addressed(words: SplitWords, at: int) -> bool:
    title = at - 2 if words.lower(at - 1) == "." else at - 1
    if words.kind(title) != "T" or words.lower(title) not in _ADDRESSED:
        return False
    return words.texts[title] not in _ABBREVIATIONS or _is_line_in_capitals(words, title)


def _is_line_in_capitals(words: SplitWords, at: int) -> bool:
    """Has the line around a place no small letters: MR WANG ASKED FOR A REFUND?"""
    before = words.texts[max(0, at - _WORDS_AROUND) : at][::-1]
    after = words.texts[at : at + _WORDS_AROUND]
    return all(
        word == word.upper()
        for side in (before, after)
        for word in takewhile(lambda word: word != "\n", side)
    )


def _is_thanked(words: SplitWords, at: int) -> bool:
    is_between = words.lower(at - 1) == "," and words.lower(at + 1) in {".", "!", ",", "\n"}
    return is_between and bool(_phrase(words, at - 1) & _THANKS)


def _phrase(words: SplitWords, at: int) -> set[str]:
    """The word, and the two words, in front of a place."""
    before = words.lower(at - 1)
    return {before, f"{words.lower(at - 2)} {before}"}


def is_product(words: SplitWords, first: int, last: int) -> bool:
    """An account, a card or a plan by its name: your Premier Saver account."""
    is_listed = {"g", "s"} & set(words.kind(first)[1:]) or words.kind(first - 1) == "T"
    return words.lower(last) in _PRODUCTS and not is_listed
