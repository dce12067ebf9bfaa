"""Conversations that lie in lists of a row, whatever these call the turns, as walks to them."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

from finewright.rows.formats.column_names import NAMES
from finewright.rows.formats.columns import SIDES, find_key, quote_key
from finewright.rows.formats.propose import Proposal, Proposals, kind_of, reads_like_context
from finewright.rows.formats.turns import ROLES, role_named
from finewright.rows.notes import Json

_DEEPEST = 2
# Who speaks is one of few; tools and systems beside the two.
_MOST_SPEAKERS = 4
_TWO = len(("user", "assistant"))
# A text has words; ids, labels and tokens of a text have one.
_WORDS = 1.5


class _Lists(NamedTuple):
    """A way to a list, and the list of each row that has one."""

    path: str
    lists: list[list[Any]]  # Any: free JSON

    def items(self) -> list[Any]:
        return [item for each in self.lists for item in each]


def exchanges(rows: Sequence[Json]) -> Proposals:
    """Lists of turns that say who speaks, or of questions with their answers; choices where two could ask."""
    for found in _lists_in(rows):
        items = found.items()
        if items and all(isinstance(item, dict) for item in items):
            ways = _of_speakers(found, rows) or _of_sides(found, rows)
        elif items and all(isinstance(item, list) and len(item) == _TWO for item in items):
            ways = _of_pairs(found)
        else:
            continue
        if ways:
            return ways
    return _side_by_side(rows)


def taking_turns(rows: Sequence[Json]) -> Proposals:
    """Lists of texts, or of objects with one text, that nobody is named as the speaker of."""
    for found in _lists_in(rows):
        items = found.items()
        is_about = any(name in found.path.lower() for name in NAMES["background"])
        if is_about or any(len(each) < _TWO for each in found.lists):
            continue
        path = found.path
        if _names_question(path) or _names_answer(path):
            # One side of a conversation.
            continue
        if items and all(isinstance(item, dict) for item in items) and not _holds_lists(items):
            if find_key(items[0], NAMES["speaker"]):
                continue
            texts = _keys_of_texts(items)
            if len(texts) != 1:
                continue
            path, items = f"{path}[].{quote_key(texts[0])}", [item.get(texts[0]) for item in items]
        if _are_texts(items):
            why = f"`{path}` lists texts"
            question = f"{why} and nobody says who speaks; if user and assistant take turns, the user first"
            return Proposals(choices=(Proposal({"messages": path}, why),), question=question)
    return Proposals()


def _lists_in(rows: Sequence[Json]) -> Iterator[_Lists]:
    """The ways to lists in the rows, and to objects of objects, which are lists under names."""
    for path in dict.fromkeys(path for row in rows for path, _ in _ways(row, "", 1)):
        held = [dict(_ways(row, "", 1)).get(path) for row in rows]
        yield _Lists(path, [each for each in held if each])


def _ways(row: Json, before: str, depth: int) -> Iterator[tuple[str, list[Any]]]:
    for key, value in row.items():
        path = f"{before}{quote_key(key)}"
        if isinstance(value, list):
            yield path, value
        elif isinstance(value, dict) and value:
            if all(isinstance(each, dict) for each in value.values()):
                yield f"{path}.*", list(value.values())
            elif depth < _DEEPEST:
                yield from _ways(value, f"{path}.", depth + 1)


def _holds_lists(items: Sequence[Json]) -> bool:
    """Whether there are further objects in them, as questions are in paragraphs."""
    held = (value for item in items for value in item.values())
    return any(isinstance(v, list) and v and isinstance(v[0], dict) for v in held)


def _keys_of_texts(items: Sequence[Json]) -> list[str]:
    keys = dict.fromkeys(key for item in items for key in item)
    return [key for key in keys if _are_texts([item[key] for item in items if item.get(key)])]


def _are_texts(values: Sequence[object]) -> bool:
    """Whether all of them are texts, of several words on the whole."""
    texts = [value for value in values if isinstance(value, str)]
    return bool(texts) and len(texts) == len(values) and _num_words(texts) >= _WORDS


def _num_words(texts: Sequence[str]) -> float:
    # Scripts without spaces have about two signs a word.
    return sum(max(len(t.split()), 0 if t.isascii() else len(t) / 4) for t in texts) / len(texts)


def _project(path: str) -> str:
    return path if path.endswith("*") else f"{path}[]"


class _Background(NamedTuple):
    """The way to a text that the turns are about, and whether each row has one."""

    path: str
    is_in_all: bool


def _background_in(rows: Sequence[Json]) -> _Background | None:
    """What the turns alone would lose: a text beside them that is called what something is about."""
    held = [dict(_texts_beside(row, "", 1)) for row in rows]
    path = next((path for texts in held for path in texts), "")
    return _Background(path, all(path in texts for texts in held)) if path else None


def _texts_beside(row: Json, before: str, depth: int) -> Iterator[tuple[str, str]]:
    for key, value in row.items():
        path = f"{before}{quote_key(key)}"
        is_about = key.lower() in NAMES["background"] or reads_like_context(key)
        if is_about and kind_of(value) == "text":
            yield path, value
        elif isinstance(value, dict) and depth < _DEEPEST:
            yield from _texts_beside(value, f"{path}.", depth + 1)


def _of_speakers(found: _Lists, rows: Sequence[Json]) -> Proposals | None:
    items: list[Json] = found.items()
    who = find_key(items[0], NAMES["speaker"])
    said = find_key({key: 1 for key in _keys_of_texts(items) if key != who}, NAMES["said"])
    names = list(dict.fromkeys(str(item.get(who)) for item in items))
    if not who or not said or not 1 < len(names) <= _MOST_SPEAKERS:
        return None
    path = _project(found.path)
    background = _background_in(rows)
    if background and not background.is_in_all:
        return None

    def walk(role: str) -> str:
        turns = f"{path}.{{role: {role}, content: {quote_key(said)}}}"
        about = background and f"{{role: 'system', content: {background.path}}}"
        return f"[{about}, {turns}][]" if about else turns

    return _propose_speakers(walk, quote_key(who), names)


def _of_pairs(found: _Lists) -> Proposals | None:
    """A list of `[who, what]`, or of `[question, answer]`."""
    items: list[list[Any]] = found.items()
    if not all(isinstance(each, str) for item in items for each in item):
        return None
    names = list(dict.fromkeys(item[0] for item in items))
    are_names = all(len(name.split()) == 1 for name in names)
    if are_names and 1 < len(names) <= _MOST_SPEAKERS:
        path = f"{found.path}[*]"
        return _propose_speakers(lambda who: f"{path}.{{role: {who}, content: [1]}}", "[0]", names)
    if _are_texts([item[1] for item in items]):
        why = f"`{found.path}` lists pairs of texts"
        ways = (Proposal({"messages": f"{found.path}[]"}, why),)
        return Proposals(choices=ways, question=f"{why}; if each is a question and its answer")
    return None


def _propose_speakers(walk: Callable[[str], str], who: str, names: Sequence[str]) -> Proposals:
    """The walk with its speakers; where their names are no known ones, each could be the user."""
    known = {role_named(name, ROLES) for name in names}
    if {"user", "assistant"} <= known or known == {"user", "system"}:
        why = f"`{who}` says who speaks: {', '.join(names)}"
        return Proposals(Proposal({"messages": walk(who)}, why))
    ways = [
        Proposal({"messages": walk(f"{who} == '{name}' && 'user' || 'assistant'")}, "")
        for name in names
        if "'" not in name
    ]
    question = f"who is the user, {' or '.join(names)}"
    return Proposals(choices=tuple(ways) if len(names) == _TWO else (), question=question)


def _of_sides(found: _Lists, rows: Sequence[Json]) -> Proposals | None:
    """A list of questions with their answers: `{system, input, output}`, after what they are about."""
    items: list[Json] = found.items()
    keys = dict.fromkeys(key for item in items for key in item)
    named = {side: find_key(keys, names) for side, names in SIDES.items()}
    texts = [key for key in _keys_of_texts(items) if key not in named.values()]
    for side, other in (("user", "assistant"), ("assistant", "user")):
        if named[other] and not named[side] and len(texts) == 1:
            named[side] = texts[0]
    if not named["user"] or not named["assistant"]:
        return None
    path, background = _project(found.path), _background_in(rows)
    why = (
        f"`{named['user']}` reads like what is asked, `{named['assistant']}` like what is answered"
    )
    sides = {side: quote_key(key) for side, key in named.items() if key}
    if not background:
        pairs = ", ".join(f"{side}: {key}" for side, key in sides.items())
        return Proposals(Proposal({"messages": f"{path}.{{{pairs}}}"}, why))
    if "system" in sides:
        return None
    pairs = ", ".join(f"{side}: {path}.{key}" for side, key in sides.items())
    columns = {"messages": f"{{system: {background.path}, {pairs}}}"}
    return Proposals(Proposal(columns, f"{why}, `{background.path}` like what it is asked about"))


def _side_by_side(rows: Sequence[Json]) -> Proposals:
    """Two lists of as many texts in each row: the questions, and the answers."""
    lists = [
        found
        for found in _lists_in(rows)
        if len(found.lists) == len(rows)
        and _are_texts(found.items())
        and (len(rows) == 1 or len({str(each) for each in found.lists}) > 1)
    ]
    alike = [
        (one.path, other.path)
        for i, one in enumerate(lists)
        for other in lists[i + 1 :]
        if [*map(len, one.lists)] == [*map(len, other.lists)] and max(map(len, one.lists)) > 1
    ]
    if not alike:
        return Proposals()
    sided = [pair for pair in alike if _names_question(pair[0]) and _names_answer(pair[1])]
    background = _background_in(rows)
    before = f"system: {background.path}, " if background else ""
    one, other = (sided or alike)[0]
    pairs = [(one, other)] if sided else [(one, other), (other, one)]
    ways = [
        Proposal(
            {"messages": f"{{{before}user: {a}, assistant: {b}}}"}, f"`{a}` and `{b}` go together"
        )
        for a, b in pairs
    ]
    if sided:
        return Proposals(ways[0])
    question = f"`{one}` and `{other}` go together; which is asked"
    return Proposals(choices=tuple(ways), question=question)


def _names_question(path: str) -> bool:
    return any(name in path.lower() for name in SIDES["user"])


def _names_answer(path: str) -> bool:
    return any(name in path.lower() for name in SIDES["assistant"])
