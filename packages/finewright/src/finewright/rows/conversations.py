"""What each type of row says: a conversation, or two with the same prompt, or a prompt alone.

Assistant turns of a prompt get `weight: 0`: they are read, not learned."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

from finewright.rows.messages import (
    check_learned,
    check_messages,
    check_order,
    check_replies,
)
from finewright.rows.notes import Json, RowNotes, Turn, kind_of_json, show_value
from finewright.schema.common import without
from finewright.schema.data import DataType
from finewright.schema.rows import TEXT


class Conversations(NamedTuple):
    """The row's conversation; a pair's other one and an unpaired row's label."""

    turns: Sequence[Turn]
    rejected: Sequence[Turn] | None = None
    label: bool | None = None


def conversations_of(data: Json, shape: DataType, notes: RowNotes) -> Conversations:
    """The row's conversations; what is wrong with them is in the notes, and then they mean nothing."""
    return _READERS[shape](data, notes)


def _messages(data: Json, notes: RowNotes) -> Conversations:
    turns = list(check_messages("messages", data["messages"], notes))
    _check_conversation(turns, notes)
    return Conversations(turns)


def _prompt_completion(data: Json, notes: RowNotes) -> Conversations:
    prompt = _prompt(data, notes)
    completion = list(_side("completion", "assistant", data, notes))
    if not notes.has_error:
        completion = _without_prompt("completion", prompt, completion, notes)
    if completion and not notes.has_error and not any(_is_answer(turn) for turn in completion):
        notes.error("completion", "no assistant turn: nothing to learn", "add the answer")
    turns = [*prompt, *completion]
    _check_conversation(turns, notes)
    return Conversations(turns)


def _read_unpaired(data: Json, notes: RowNotes) -> Conversations:
    if all(key in data for key in ("messages", "prompt", "completion")):
        what = "both `messages` and `prompt` with `completion` are here"
        notes.error("", what, "leave out the one that the label is not about")
    conversation = (_messages if "messages" in data else _prompt_completion)(data, notes)
    turns = list(conversation.turns)
    _check_end(turns, notes)
    if "messages" in data and not notes.has_error:
        turns = [*_unlearn(turns[:-1]), *turns[-1:]]
        _check_rated(turns, notes)
    return Conversations(turns, label=_label(data["label"], notes))


def _prompt_only(data: Json, notes: RowNotes) -> Conversations:
    turns = _prompt(data, notes)
    _check_question(turns, notes)
    if not notes.has_error:
        check_order(turns, notes)
        check_replies(turns, notes)
    return Conversations(turns)


def _text(data: Json, notes: RowNotes) -> Conversations:
    text = data["text"]
    if not isinstance(text, str):
        what = f"{kind_of_json(text)}; a document is text"
        notes.error("text", what, "write it in quotes, or leave the row out")
    elif not text.strip():
        notes.error("text", "empty: nothing to learn", "leave the row out")
    return Conversations([Turn("text", {"role": TEXT, "content": text})])


def _preference(data: Json, notes: RowNotes) -> Conversations:
    if "prompt" in data:
        prompt = _prompt(data, notes)
        _check_question(prompt, notes)
        data = _without_prompt_text(data, notes)
        chosen, rejected = (list(_side(key, "assistant", data, notes)) for key in _SIDES)
        if not notes.has_error:
            chosen = _without_prompt("chosen", prompt, chosen, notes)
            rejected = _without_prompt("rejected", prompt, rejected, notes)
    else:
        data = _with_common_text(data, notes)
        if "prompt" in data:
            return _preference(data, notes)
        chosen, rejected = (list(_whole(key, data, notes)) for key in _SIDES)
        num_shared = 0 if notes.has_error else _num_shared(chosen, rejected, notes)
        prompt = _unlearn(chosen[:num_shared])
        chosen, rejected = chosen[num_shared:], rejected[num_shared:]
    if not notes.has_error:
        _check_pair(prompt, chosen, rejected, notes)
    return Conversations([*prompt, *chosen], [*prompt, *rejected])


_READERS: Mapping[DataType, Callable[[Json, RowNotes], Conversations]] = {
    "messages": _messages,
    "prompt_completion": _prompt_completion,
    "preference": _preference,
    "unpaired_preference": _read_unpaired,
    "prompt_only": _prompt_only,
    "text": _text,
}
_SIDES = ("chosen", "rejected")


def _prompt(data: Json, notes: RowNotes) -> list[Turn]:
    return _unlearn(_side("prompt", "user", data, notes))


def _unlearn(turns: Iterator[Turn] | Sequence[Turn]) -> list[Turn]:
    return [
        Turn(turn.key, {**turn.message, "weight": 0}) if _is_answer(turn) else turn
        for turn in turns
    ]


def _side(key: str, role: str, data: Json, notes: RowNotes) -> Iterator[Turn]:
    """The messages of a prompt or of an answer, which is text or a list of messages."""
    value = data[key]
    if isinstance(value, list):
        yield from check_messages(key, value, notes)
    elif not isinstance(value, str):
        mend = (
            "write it as text, in quotes" if value is not None else "write it, or leave the row out"
        )
        what = f"{kind_of_json(value)}; text or a list of messages is expected"
        notes.error(key, what, mend)
    elif value.strip():
        yield Turn(key, {"role": role, "content": value})
    elif role == "assistant":
        notes.error(key, "empty: nothing to learn", "write the answer, or leave the row out")
    else:
        notes.error(key, "empty: nothing is asked", "write the question, or leave the row out")


def _whole(key: str, data: Json, notes: RowNotes) -> Iterator[Turn]:
    """The messages of a conversation that begins with its prompt."""
    if not isinstance(data[key], str):
        yield from check_messages(key, data[key], notes)
    elif not notes.has_error:
        what = "text, and there is no `prompt`: nobody can tell where the answer begins"
        notes.error(key, what, "add `prompt`, or write both as lists of messages")


def _label(label: object, notes: RowNotes) -> bool:
    if isinstance(label, bool):
        return label
    text = str(label).strip().lower()
    mend = "write true or false; a label that is no rating is a column under another --type"
    if text in ("true", "false"):
        mend = f"write {text}, without quotes"
    elif text in ("0", "1"):
        mend = (
            "set --type, or data.type in a spec: unpaired_preference where 1 is liked and 0 is not,"
            " prompt_completion or messages where it is a class"
        )
    notes.error("label", f"{show_value(label)}; it is true (liked) or false", mend)
    return False


def _with_common_text(data: Json, notes: RowNotes) -> Json:
    """The row with the common beginning of two texts as their prompt, cut before a space, as TRL cuts it.

    https://huggingface.co/docs/trl/dataset_formats#preference: the implicit prompt of the standard format."""
    chosen, rejected = (data[key] for key in _SIDES)
    if not isinstance(chosen, str) or not isinstance(rejected, str):
        return data
    if chosen == rejected:
        _say_same(notes)
        return data
    pairs = zip(chosen, rejected, strict=False)
    shorter_end = min(len(chosen), len(rejected))
    end = next((i for i, (one, other) in enumerate(pairs) if one != other), shorter_end)
    if end in (len(chosen), len(rejected)):
        shorter = "chosen" if end == len(chosen) else "rejected"
        notes.error(shorter, "it ends where the other one goes on", "add `prompt`")
        return data
    end -= chosen[:end].endswith(" ")
    if not chosen[:end].strip():
        what = "text, no `prompt`, and nothing that both begin with: nobody can tell what is asked"
        notes.error("chosen", what, "add `prompt`, or write both as lists of messages")
        return data
    what = "text without a `prompt`: what both begin with is taken as it, as TRL does"
    notes.warning("chosen", what, "add `prompt`, to say where the answer begins")
    return {**data, "prompt": chosen[:end], "chosen": chosen[end:], "rejected": rejected[end:]}


def _without_prompt_text(data: Json, notes: RowNotes) -> Json:
    """The row with the prompt cut from answers that both begin with it, as text."""
    prompt, *sides = (data[key] for key in ("prompt", *_SIDES))
    is_text = all(isinstance(text, str) for text in (prompt, *sides))
    if not is_text or not prompt.strip() or not all(side.startswith(prompt) for side in sides):
        return data
    what = "chosen and rejected begin with the prompt, which is taken once"
    notes.warning("chosen", what, "leave it out there; if it is of the answers, write messages")
    cut = (side.removeprefix(prompt).lstrip() for side in sides)
    return {**data, **dict(zip(_SIDES, cut, strict=True))}


def _without_prompt(key: str, prompt: list[Turn], side: list[Turn], notes: RowNotes) -> list[Turn]:
    """The answer without the prompt's messages, where it begins with them."""
    num_repeated = _num_repeated(prompt, side)
    if num_repeated:
        what = f"{key} begins with the prompt, which is taken once"
        mend = "leave it out there, or leave `prompt` out"
        notes.warning(key, what, mend if key in _SIDES else "leave it out there")
    return side[num_repeated:]


def _num_repeated(prompt: list[Turn], side: list[Turn]) -> int:
    """How many messages of the answer are the prompt's; its system turn may stand beside the row alone."""
    begins = [prompt]
    if len(prompt) > 1 and prompt[0].message["role"] == "system":
        begins.append(prompt[1:])
    whole = (b for b in begins if len(side) > len(b) and _num_alike(b, side) == len(b))
    return len(next(whole, []))


def _begins_answers(chosen: Sequence[Turn], rejected: Sequence[Turn], at: int) -> bool:
    return _is_answer(chosen[at]) and _is_answer(rejected[at]) and not _is_answer(chosen[at - 1])


def _num_shared(chosen: Sequence[Turn], rejected: Sequence[Turn], notes: RowNotes) -> int:
    """How many messages are the prompt: all that is shared, up to the turn that is answered."""
    alike = start = _num_alike(chosen, rejected)
    if alike == len(chosen) == len(rejected):
        _say_same(notes)
        return 0
    if alike in (len(chosen), len(rejected)):
        shorter = "chosen" if alike == len(chosen) else "rejected"
        notes.error(shorter, "it ends where the other one goes on", "end both with an answer")
        return 0
    if {chosen[alike].message["role"], rejected[alike].message["role"]} & {"user", "system"}:
        what = "here the conversations differ, and not in an answer"
        notes.error(f"rejected[{alike}]", what, "begin both with the same prompt")
        return 0
    while start and not _begins_answers(chosen, rejected, start):
        start -= 1
    if not start:
        what = "chosen and rejected begin with no question in common"
        notes.error("chosen[0]", what, "begin both with the same prompt, or add `prompt`")
    return start


def _num_alike(one: Sequence[Turn], other: Sequence[Turn]) -> int:
    pairs = zip(one, other, strict=False)
    differ = (i for i, (a, b) in enumerate(pairs) if _drop_weight(a) != _drop_weight(b))
    return next(differ, min(len(one), len(other)))


def _drop_weight(turn: Turn) -> Json:
    """The message without its weight, which is no part of what is said."""
    return without(turn.message, ("weight",))


def _check_pair(
    prompt: Sequence[Turn], chosen: Sequence[Turn], rejected: Sequence[Turn], notes: RowNotes
) -> None:
    if len(chosen) == len(rejected) == _num_alike(chosen, rejected):
        _say_same(notes)
        return
    for side in (chosen, rejected):
        if not _is_answer(side[0]):
            role = side[0].message["role"]
            what = f"begins with the {role}'s turn, which the prompt does not have"
            mend = "begin with the answer, or leave `prompt` out if both conversations are whole"
            notes.error(side[0].key.partition("[")[0], what, mend)
            return
        check_order([prompt[0], *side], notes)
        check_learned(side, notes)
        _check_end(side, notes)
    check_order(prompt, notes)
    # A worse answer may well be worse by its order.
    check_replies([*prompt, *chosen], notes)


def _say_same(notes: RowNotes) -> None:
    notes.error("rejected", "the same as chosen: nothing to prefer", "leave the row out")


def _check_conversation(turns: Sequence[Turn], notes: RowNotes) -> None:
    if not turns or notes.has_error:
        return
    check_order(turns, notes)
    check_replies(turns, notes)
    last = turns[-1]
    if not _is_answer(last):
        what = f"the last turn is the {last.message['role']}'s: nothing to learn at the end"
        notes.warning(f"{last.key}.role", what, "end with the assistant's answer")
    check_learned(turns, notes)


def _check_end(turns: Sequence[Turn], notes: RowNotes) -> None:
    if turns and not notes.has_error and not _is_answer(turns[-1]):
        what = f"the last turn is the {turns[-1].message['role']}'s: it is answers that are liked"
        notes.error(f"{turns[-1].key}.role", what, "end with the assistant's answer")


def _check_rated(turns: Sequence[Turn], notes: RowNotes) -> None:
    """The last answer is what the label is about, as in LLaMA-Factory and ms-swift, so it says something."""
    if turns and not turns[-1].message.get("weight", 1):
        what = "the label is about the last answer, and it has weight 0"
        notes.error(f"{turns[-1].key}.weight", what, "leave the weight out, or the row")


def _check_question(prompt: Sequence[Turn], notes: RowNotes) -> None:
    if prompt and not notes.has_error and _is_answer(prompt[-1]):
        what = "the prompt ends with the assistant's turn: nothing is asked"
        notes.error(f"{prompt[-1].key}.role", what, "end it with the turn that is to be answered")


def _is_answer(turn: Turn) -> bool:
    return bool(turn.message.get("role") == "assistant")
