"""What people call columns: for each role the names that speak for it, the strongest first.

English, as public data sets and ticket systems have them. A column that is called otherwise is told by what
it holds: see `propose` and `proposals`."""

import re
from collections.abc import Iterable, Mapping

_NAMES: Mapping[str, str] = {
    "asked": "prompt question query ask instruction input user human request problem ticket issue inquiry"
    " utterance message email source title subject text post",
    # Of these alone rows of prompts without an answer are made.
    "asked alone": "prompt question query instruction",
    "answered": "completion answer response truth output reply assistant bot gpt ideal solution target"
    " result summary translation",
    # What a row is sorted under: answered where nothing else is.
    "class": "label category intent class",
    "conversation": "conversation messages dialogue chat",
    # Not `positive` and `negative`: those are passages for embeddings, or the halves of a review.
    "better": "chosen better preferred winner accepted good best right correct",
    "worse": "rejected worse dispreferred loser bad worst wrong incorrect hallucinated",
    "passage": "positive negative",
    "context": "context passage document background article schema evidence knowledge input body selftext"
    " description details",
    # Neither asked nor answered, whatever they hold.
    "beside": "id uuid key url link source date time timestamp created lang language locale split license"
    " meta author name file path hash type version number nr customer client priority status positive"
    " negative anchor tag tags domain model generator annotator metadata difficulty",
    # With one of these in its name a text is about another, as `answer_id` and `meta_instruction` are.
    "about": "id uuid meta metadata type index idx tag tags count num model generator annotator spec hash",
    # `orig_instruction` beside `instruction` is what that one was translated or rewritten from.
    "earlier": "orig original raw old",
}
NAMES: Mapping[str, tuple[str, ...]] = {role: tuple(n.split()) for role, n in _NAMES.items()}


def words_of(key: str) -> list[str]:
    """The words of a column's name: `bot`, `reply` of `botReply` and of `bot_reply`."""
    return re.findall(r"[^\W\d_]+", re.sub(r"(?<=[a-z])(?=[A-Z])", " ", key).casefold())


def has_word(role: str, key: str) -> bool:
    """Is a word of its name one of the role's?"""
    return not set(NAMES[role]).isdisjoint(words_of(key))


def best_named(keys: Iterable[str], *roles: str) -> str:
    """The key that is called most like the roles: by its whole name before a part of it, by an earlier name
    before a later one; empty where none is."""
    names = [name for role in roles for name in NAMES[role]]
    ranked = []
    for key in keys:
        words = words_of(key)
        if places := [names.index(word) for word in words if word in names]:
            ranked.append((len(words) > 1, min(places), key))
    return min(ranked)[2] if ranked else ""
