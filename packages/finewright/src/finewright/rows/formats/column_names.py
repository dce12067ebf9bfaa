"""What people call columns: for each role the names that speak for it, the strongest first.

English, as public data sets and ticket systems have them. A column that is called otherwise is told by what
it holds: see `propose` and `proposals`. What belongs to a question and no column can hold, its choices and
the passages it is about, is told here, too."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from finewright.rows.notes import Json

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
    "system": "system_prompt system_message system_instruction sys_prompt",
    # Who speaks, what is said, and the sides of an exchange.
    "speaker": "role from speaker agent author sender who",
    "said": "content value text utterance message body",
    "system side": "system system_prompt",
    "user side": "user human input question prompt instruction query",
    "assistant side": "assistant bot gpt output answer response completion reply",
    # What turns are about, beside them.
    "background": "system context passage story background document article",
    # What belongs to a question in a list or an object; of `proofs` an id is none.
    "choices": "choices options candidates endings alternatives",
    "passages": "context contexts passages documents paragraphs",
    "proofs": "evidence facts",
    # What says how good an answer is (of a rank the first is best), the answer beside it, and which of two
    # answers is the better.
    "grade": "rank score rating grade votes likes",
    "graded": "answer response completion output text content",
    "decides": "label labels preference preferred winner better choice",
    # The class of two texts, by a part of its name.
    "class of both": "label class is_",
}
NAMES: Mapping[str, tuple[str, ...]] = {role: tuple(n.split()) for role, n in _NAMES.items()}


def words_of(key: str) -> list[str]:
    """The words of a column's name: `bot`, `reply` of `botReply` and of `bot_reply`."""
    return re.findall(r"[^\W\d_]+", re.sub(r"(?<=[a-z])(?=[A-Z])", " ", key).casefold())


def has_word(role: str, key: str) -> bool:
    """Whether a word of its name is one of the role's."""
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


# `A`, `option_b`, `choice 1`, medmcqa's `opa`
_ONE_OF_THEM = re.compile(r"(?:(?:option|choice|ending|op)[ _-]?)?[a-e0-5]", re.IGNORECASE)
# Beside names of one letter or digit, to know them from the columns of a table without a header.
_QUESTION = re.compile(
    r"question|query|prompt|problem|instruction|sentence|stem",
    re.IGNORECASE,
)
# With spaces or commas between them, or letters alone: `(A)blue(B)red`, `ABCD`.
_SEVERAL = re.compile(
    r"\S[\s,;|/\u3001\uff0c\uff1b]+\S|\A\(?[Aa1][).:]\D.*[Bb2][).:]|\AABC?D?E?\Z", re.DOTALL
)
# In these an id is none: a passage has three words, or some characters of a script without spaces.
_PASSAGE = re.compile(r"\S\s+\S+\s+\S|[\u0e00-\u0eff\u3040-\u30ff\u3400-\u9fff]{6}")
_MANY = 3


def choices_in(data: Json) -> list[str]:
    """The columns that hold the choices of a question: a list, an object or a text of them, or each one."""
    filled = [k for k, value in data.items() if value is not None and str(value).strip()]
    whole = [key for key in filled if key in NAMES["choices"] and _are_several(data[key])]
    single = [key for key in filled if _ONE_OF_THEM.fullmatch(key)]
    is_choice = 1 < len(single) < len(filled) and _are_named(data, single, filled)
    return whole or (single if is_choice else [])


def is_apart(data: Json) -> bool:
    """Whether a part of the question, choices or several passages, stands where no column can be put into
    it."""
    inside = [key for key, value in data.items() if isinstance(value, (list, dict))]
    passages = (
        key in NAMES["passages"]
        or (key in NAMES["proofs"] and any(map(_PASSAGE.search, _texts_in(data[key]))))
        for key in inside
    )
    return bool(choices_in(data)) or any(passages)


def _texts_in(value: object) -> Iterator[str]:
    left = [value]
    while left:
        held = left.pop()
        if isinstance(held, str):
            yield held
        elif isinstance(held, (list, dict)):
            left.extend(held.values() if isinstance(held, dict) else held)


def _are_several(value: object) -> bool:
    """Several choices, and not a setting such as `fast` or {"temperature": 0.7}."""
    if isinstance(value, dict):
        held = [each for each in value.values() if each is not None]
        lists = [each for each in held if isinstance(each, list)]
        are_lettered = all(map(_ONE_OF_THEM.fullmatch, value))
        are_texts = all(isinstance(each, (str, list)) for each in held)
        return len(value) > 1 and (are_lettered or len(lists) > 1 or are_texts)
    return isinstance(value, list) or (isinstance(value, str) and bool(_SEVERAL.search(value)))


def _are_named(data: Json, single: Sequence[str], keys: Sequence[str]) -> bool:
    """Whether their names say that they are choices. `A` and `B` do, from the first one on, beside a
    question; or beside a text where they are many, or where the answer is one of them."""
    bare = {key.casefold() for key in single if len(key) == 1}
    if not bare or any(map(_QUESTION.search, keys)):
        return not bare or min(bare) in "a01"
    others = [data[key] for key in keys if key not in single]
    one_of_them = {*bare, *(str(data[key]).strip().casefold() for key in single)}
    is_answered = any(str(each).strip().casefold() in one_of_them for each in others)
    has_text = any(isinstance(each, str) and _SEVERAL.search(each.strip()) for each in others)
    are_many = len(bare) > _MANY and len(others) > 1
    return min(bare) in "a01" and has_text and (is_answered or are_many)
