"""Ranked answers: OpenAssistant's conversation trees, and a prompt with a list of ranked answers.

https://huggingface.co/datasets/OpenAssistant/oasst1: a node has `text`, `role` (prompter, assistant) and
`replies`; siblings that people ranked have a `rank`, 0 the best. Nodes that are `deleted`, or that the
review refused, are left out with all that follows them.

A tree is one conversation: from the root always to the best reply (lowest rank, then first), up to the last
answer. With `data.type: preference` it is pairs instead: at every prompt that has two ranked answers, the
best against the worst, so that one tree may become several rows. Pairs in between say less and outnumber
the clear ones, so they are not made. Nectar's `answers` with a `rank` (1 the best) are such a pair."""

from collections.abc import Iterator, Sequence
from typing import Any

from finewright.rows.formats.hh import is_dialogue, prompt_turns
from finewright.rows.formats.native import Expected, KeyedMessage, Native, form, native
from finewright.rows.notes import Json, RowNotes
from finewright.schema.data import DataType

_DEEPEST = 100
_NO_PAIR = "no two answers to one question have different ranks: there is no pair to make"
_ROLES = {"prompter": "user", "user": "user", "human": "user", "assistant": "assistant"}
_PARTS = {"content": "text"}


def _tree(data: Json, expected: Expected, notes: RowNotes) -> Iterator[Native]:
    key, root = ("prompt", data["prompt"]) if "prompt" in data else ("", data)
    _check(key, root, notes)
    if notes.has_error:
        return
    used = () if key else ("text", "role", "replies", "rank", "deleted", "review_result")
    if expected == "preference":
        pairs = [_pair_of(data, *found, used) for found in _pair_ranked_answers([(key, root)])]
        if not pairs:
            notes.warning(key, _NO_PAIR)
        yield from pairs
    elif expected == "prompt_only":
        yield native("prompt_only", data, {"prompt": [_read_node(key, root)]}, None, used)
    else:
        yield native("messages", data, {"messages": _best_turns(key, root)}, None, used)


def _best_turns(key: str, root: Json) -> list[KeyedMessage]:
    """The best path, up to its last answer."""
    said = [_read_node(*node) for node in _best_path(key, root)]
    while len(said) > 1 and said[-1].message["role"] == "user":
        said.pop()
    return said


_Path = list[tuple[str, Json]]


def _best_path(key: str, root: Json) -> _Path:
    path = [(key, root)]
    while replies := _replies(*path[-1]):
        path.append(min(replies, key=lambda reply: _rank(reply[1])))
    return path


def _pair_ranked_answers(path: _Path) -> Iterator[tuple[_Path, _Path]]:
    """(path with the best answer, path with the worst), for every prompt with two ranked answers."""
    replies = _replies(*path[-1])
    ranked = [r for r in replies if r[1].get("rank") is not None and _role(r[1]) == "assistant"]
    best, worst = (f(ranked, key=lambda r: _rank(r[1]), default=None) for f in (min, max))
    if best and worst and _rank(best[1]) < _rank(worst[1]):
        yield [*path, best], [*path, worst]
    for reply in replies:
        yield from _pair_ranked_answers([*path, reply])


def _pair_of(data: Json, better: _Path, worse: _Path, used: Sequence[str]) -> Native:
    sides = {
        "prompt": [_read_node(*node) for node in better[:-1]],
        "chosen": [_read_node(*better[-1])],
        "rejected": [_read_node(*worse[-1])],
    }
    return native("preference", data, sides, None, used)


def _read_node(key: str, node: Json) -> KeyedMessage:
    return KeyedMessage(
        key or "text", {"role": _role(node), "content": node["text"]}, _PARTS if key else {}
    )


def _role(node: Json) -> object:
    role = node.get("role")
    return _ROLES.get(role, role) if isinstance(role, str) else role


def _rank(node: Json) -> float:
    rank = node.get("rank")
    return rank if isinstance(rank, int | float) else float("inf")


def _replies(key: str, node: Json) -> list[tuple[str, Json]]:
    replies = node.get("replies") or []
    dot = f"{key}." if key else ""
    return [
        (f"{dot}replies[{i}]", reply)
        for i, reply in enumerate(replies)
        if not reply.get("deleted") and reply.get("review_result") is not False
    ]


def _check(root_key: str, root: object, notes: RowNotes) -> None:
    """Every node is an object with a text and, if it has any, a list of replies."""
    todo: list[tuple[str, Any, int]] = [(root_key, root, 1)]
    while todo:
        key, node, depth = todo.pop()
        dot = f"{key}." if key else ""
        if not isinstance(node, dict) or not isinstance(node.get("text"), str):
            notes.error(key, "a node has a `text`, a `role` and `replies`")
        elif not isinstance(node.get("replies") or [], list):
            notes.error(f"{dot}replies", "a list of nodes is expected")
        elif depth > _DEEPEST:
            notes.error(key, f"nested deeper than {_DEEPEST} replies", "leave the tree out")
        else:
            replies = enumerate(node.get("replies") or [])
            todo += [(f"{dot}replies[{i}]", reply, depth + 1) for i, reply in replies]


def _answers(data: Json, expected: Expected, notes: RowNotes) -> Iterator[Native]:
    answers = data["answers"]
    for i, answer in enumerate(answers):
        if not isinstance(answer.get("answer"), str) or not isinstance(
            answer.get("rank"), int | float
        ):
            notes.error(f"answers[{i}]", "an `answer` with a `rank` is expected")
    if notes.has_error:
        return
    best, worst = (f(range(len(answers)), key=lambda i: answers[i]["rank"]) for f in (min, max))
    if answers[best]["rank"] == answers[worst]["rank"]:
        notes.warning("answers", _NO_PAIR)
        return
    prompt = data["prompt"]
    question = KeyedMessage("prompt", {"role": "user", "content": prompt}, {"content": ""})
    sides = {
        "prompt": prompt_turns("prompt", prompt) if is_dialogue(prompt) else [question],
        **{
            name: [_read_ranked_answer(i, answers[i])]
            for name, i in (("chosen", best), ("rejected", worst))
        },
    }
    yield native("preference", data, sides)


def _read_ranked_answer(i: int, answer: Json) -> KeyedMessage:
    message = {"role": "assistant", "content": answer["answer"]}
    return KeyedMessage(f"answers[{i}]", message, {"content": "answer"})


def _is_tree(data: Json, expected: Expected) -> bool:
    return isinstance(data["prompt"], dict) and "text" in data["prompt"]


def _are_ranked(data: Json, expected: Expected) -> bool:
    answers = data["answers"]
    are_answers = isinstance(answers, list) and all(isinstance(a, dict) for a in answers)
    return are_answers and bool(answers) and "rank" in answers[0]


_WHY = "OpenAssistant's conversation tree: ranked `replies` to a `prompt`"
_TYPES: tuple[DataType, ...] = ("messages", "preference", "prompt_only")
# fmt: off
FORMS = (
    form("tree", "prompt", _TYPES, _tree, _is_tree,
         why=_WHY, is_close=True, mark="`prompt` with `replies`"),
    form("tree", "replies role text", _TYPES, _tree, why=_WHY, mark="`replies`"),
    form("tree", "prompt answers", ("preference",), _answers, _are_ranked,
         why="Nectar: ranked `answers` to a `prompt`"),
)
# fmt: on
