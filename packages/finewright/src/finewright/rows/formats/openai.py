"""OpenAI's fine-tuning files: conversations with tools and weights, preference pairs, and prompts to grade.

https://platform.openai.com/docs/guides/supervised-fine-tuning, .../direct-preference-optimization and
.../reinforcement-fine-tuning; Together takes the same. Legacy `functions` and `function_call` become tools,
and the `developer`, who took the system's place, the system. A reinforcement row is a conversation that
ends with the turn to answer, beside the fields that its graders read."""

from collections.abc import Iterator

from finewright.rows.formats.native import Expected, KeyedValue, Native, form, native
from finewright.rows.formats.own import is_liking, read_rating
from finewright.rows.formats.turns import (
    are_ours,
    tools_of,
    turns,
    with_system,
)
from finewright.rows.notes import Json, RowNotes
from finewright.schema.common import without

_OTHERS = frozenset({"prompt", "completion", "chosen", "rejected"})
_OWN = frozenset({"messages", "tools", "functions", "system", "parallel_tool_calls"})


def _conversation(data: Json, expected: Expected, notes: RowNotes) -> Iterator[Native]:
    messages = data["messages"]
    is_plain = are_ours(messages) and not ("system" in data or "functions" in data)
    if is_plain and not isinstance(data.get("tools"), str):
        made: Json = {key: data[key] for key in ("messages", "tools") if key in data}
        yield Native("messages", made, without(data, made))
    else:
        said = with_system(turns("messages", messages, notes), data, notes)
        yield native("messages", data, {"messages": said}, tools_of(data), _OWN)


def _prompt(data: Json, expected: Expected, notes: RowNotes) -> Iterator[Native]:
    said = with_system(turns("messages", data["messages"], notes), data, notes)
    yield native("prompt_only", data, {"prompt": said}, tools_of(data), _OWN)


def _read_label(data: Json, expected: Expected, notes: RowNotes) -> Iterator[Native]:
    said = with_system(turns("messages", data["messages"], notes), data, notes)
    key = "kto_tag" if "kto_tag" in data else "label"
    more = {**tools_of(data), "label": KeyedValue(key, read_rating(data[key], expected))}
    yield native("unpaired_preference", data, {"messages": said}, more, _OWN)


def _preference(data: Json, expected: Expected, notes: RowNotes) -> Iterator[Native]:
    given = data["input"]
    if not isinstance(given, dict) or "messages" not in given:
        notes.error("input", "an object with `messages` is expected")
        return
    better, worse = (_one_of(data, names) for names in _OUTPUTS)
    sides = {
        "prompt": turns("input.messages", given["messages"], notes),
        "chosen": turns(better, data[better], notes),
        "rejected": turns(worse, data[worse], notes),
    }
    tools = {name: KeyedValue(f"input.{f.key}", f.value) for name, f in tools_of(given).items()}
    yield native("preference", data, sides, tools, ("input",))


def _whole_pair(data: Json, expected: Expected, notes: RowNotes) -> Iterator[Native]:
    sides = {
        name: with_system(turns(key, data[key], notes), data, notes)
        for name, key in zip(("chosen", "rejected"), _V1_PAIR, strict=True)
    }
    yield native("preference", data, sides, tools_of(data), ("system",))


_V1_PAIR = ("chosen_messages", "rejected_messages")
_OUTPUTS = (
    ("preferred_output", "preferred_completion"),
    ("non_preferred_output", "non_preferred_completion"),
)


def _one_of(data: Json, names: tuple[str, ...]) -> str:
    return next(name for name in names if name in data)


def _is_to_answer(data: Json, expected: Expected) -> bool:
    """A conversation without an answer, beside what a grader reads; or one that is asked to be it."""
    messages = data["messages"]
    if not isinstance(messages, list) or not messages or not isinstance(messages[-1], dict):
        return False
    last = messages[-1].get("role")
    if expected != "auto" or last != "user":
        return expected == "prompt_only" and last != "assistant"
    has_answer = any(isinstance(m, dict) and m.get("role") == "assistant" for m in messages)
    return _is_graded(data) and not has_answer


def _is_graded(data: Json) -> bool:
    """Whether there is a column beside the conversation that a grader may read."""
    is_rated = is_liking(data.get("label")) or not _OTHERS.isdisjoint(data)
    return not is_rated and not _OWN.issuperset(data)


def _is_answered(data: Json, expected: Expected) -> bool:
    return not _is_to_answer(data, expected)


def _is_labelled(data: Json, expected: Expected) -> bool:
    return expected == "unpaired_preference" or is_liking(data["label"])


def _is_tagged(data: Json, expected: Expected) -> bool:
    return data["kto_tag"] is not None


_PAIR = "OpenAI's and Together's preference: `input`, a preferred and a non-preferred output"
# fmt: off
FORMS = (
    form("openai", "messages", ("messages",), _conversation, _is_answered,
         why="OpenAI's chat: `messages` with roles"),
    form("openai", "messages", ("prompt_only",), _prompt, _is_to_answer, mark="`messages` to answer",
         why="OpenAI's reinforcement: `messages` that end with the question, and what graders read"),
    form("openai", "messages label", ("unpaired_preference",), _read_label, _is_labelled,
         why="a conversation in OpenAI's form with a `label`: was it liked?", mark="`messages`"),
    form("openai", "messages kto_tag", ("unpaired_preference",), _read_label, _is_tagged,
         why="a conversation in OpenAI's form with LLaMA-Factory's `kto_tag`: was it liked?"),
    form("openai", "chosen_messages rejected_messages", ("preference",), _whole_pair,
         why="LLaMA-Factory's v1 pair: two whole conversations, the better and the worse"),
    form("openai", "input non_preferred_output preferred_output", ("preference",), _preference,
         mark="`input`", why=_PAIR),
    form("openai", "input non_preferred_completion preferred_completion", ("preference",), _preference,
         mark="`input`", why=_PAIR),
)
# fmt: on
