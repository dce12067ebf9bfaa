"""Axolotl: its preference styles, its labelled answers, and `input_output` segments.

docs/rlhf.qmd and docs/dataset-formats of axolotl-ai-cloud/axolotl: the styles differ in what they call
question and answers (intel `question`; argilla `instruction`, `chosen_response`, `rejected_response`; icr
`input`; prompt_pairs and ultra are our own preference pairs); `system` stands first. Its template strings
are not written: the model's own chat template is.

`segments` (`input_output`) are text with a `label` each, true where it is learned; Axolotl joins them as
they are, without a template. Here they are turns in the model's chat template, which is said: those that a
known template wrote are taken apart again, else learned segments are answers and the others questions. Marks
of the text's beginning and end are left to the template; any other is refused, for it would be inside another
template."""

import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator
from itertools import accumulate, groupby

from finewright.rows.formats.content import MARKS, bare, turns_in
from finewright.rows.formats.native import (
    Expected,
    KeyedMessage,
    KeyedValue,
    Native,
    Side,
    form,
    native,
    text,
)
from finewright.rows.formats.sharegpt import answer
from finewright.rows.formats.turns import ROLES, role_named, tools_of, turns, with_system
from finewright.rows.notes import Json, RowNotes, show_value

_MARKS = re.compile(rf"{MARKS}|^### ", re.MULTILINE)


def _pairs(prompt_key: str, better: str, worse: str) -> Callable[..., Iterator[Native]]:
    def convert(data: Json, expected: Expected, notes: RowNotes) -> Iterator[Native]:
        sides: dict[str, Side] = {
            "prompt": with_system([text(prompt_key, "user", data[prompt_key])], data, notes),
            "chosen": KeyedValue(better, data[better]),
            "rejected": KeyedValue(worse, data[worse]),
        }
        yield native("preference", data, sides, tools_of(data), ("system",))

    return convert


def _answers(prompt_key: str) -> Callable[..., Iterator[Native]]:
    def convert(data: Json, expected: Expected, notes: RowNotes) -> Iterator[Native]:
        sides: dict[str, Side] = {
            "prompt": with_system([text(prompt_key, "user", data[prompt_key])], data, notes),
            "completion": KeyedValue("completion", data["completion"]),
        }
        is_labelled = isinstance(data.get("label"), bool)
        label = {"label": KeyedValue("label", data["label"])} if is_labelled else {}
        more = {**tools_of(data), **label}
        if is_labelled:
            yield native("unpaired_preference", data, sides, more, ("system",))
        else:
            yield native("prompt_completion", data, sides, more, ("system",))

    return convert


def _chat_pair(data: Json, expected: Expected, notes: RowNotes) -> Iterator[Native]:
    sides = {"prompt": with_system(turns("messages", data["messages"], notes), data, notes)}
    sides |= {name: answer(name, data[name], notes) for name in ("chosen", "rejected")}
    yield native("preference", data, sides, tools_of(data), ("messages", "system"))


def _answer_messages(data: Json, expected: Expected) -> bool:
    """Whether they are one message each, or the conversation is one that they go on."""
    messages = data["messages"]
    if isinstance(data["chosen"], dict) and isinstance(data["rejected"], dict):
        return True
    last = messages[-1] if isinstance(messages, list) and messages else None
    role = last.get("role", last.get("from")) if isinstance(last, dict) else None
    return isinstance(role, str) and role_named(role, ROLES) == "user"


def _segments(data: Json, expected: Expected, notes: RowNotes) -> Iterator[Native]:
    segments = data["segments"]
    if not isinstance(segments, list) or not segments:
        notes.error("segments", "a list of {label, text} is expected")
        return
    for i, segment in enumerate(segments):
        _check_segment(f"segments[{i}]", segment, notes)
    if notes.has_error:
        return
    said = _split_rendered_segments(segments, notes) or _plain_segments(segments, notes)
    if not notes.has_error:
        what = "text without a template in Axolotl; here turns in the chat template of the model"
        notes.warning("segments", what, "`finewright plan` shows what is learned")
    yield native("messages", data, {"messages": said}, tools_of(data))


_PARTS = {"role": "label", "content": "text", "weight": "label"}


def _split_rendered_segments(segments: list[Json], notes: RowNotes) -> list[KeyedMessage]:
    """The turns of a template that wrote the whole text; none where no known one did."""
    whole = "".join(segment["text"] for segment in segments)
    ends = list(accumulate(len(segment["text"]) for segment in segments))
    said = []
    for turn in turns_in(whole):
        first, last = bisect_right(ends, turn.start), bisect_left(ends, turn.end)
        key = f"segments[{min(first, len(ends) - 1)}]"
        message: Json = {"role": turn.role, "content": whole[turn.start : turn.end]}
        if turn.role == "assistant":
            message |= _weight_of_segments(key, segments[first : last + 1], notes)
        said.append(KeyedMessage(key, message, _PARTS))
    return said


def _weight_of_segments(key: str, segments: list[Json], notes: RowNotes) -> Json:
    """The weight of an answer that is read only."""
    learned = {segment["label"] for segment in segments if segment["text"]}
    if len(learned) > 1:
        what = "parts of an answer are learned; here a turn is learned whole, or read only"
        notes.error(key, what, "give the whole answer one label, or make two turns of it")
    return {"weight": 0} if learned == {False} else {}


def _plain_segments(segments: list[Json], notes: RowNotes) -> list[KeyedMessage]:
    """Learned segments as answers, the others as questions, without marks of the text's beginning and end."""
    said: list[KeyedMessage] = []
    for is_learned, group in groupby(enumerate(segments), key=lambda item: item[1]["label"]):
        parts = list(group)
        key, content = f"segments[{parts[0][0]}]", "".join(part["text"] for _, part in parts)
        start, end = bare(content)
        content = content[start:end]
        if mark := _MARKS.search(content):
            what = f"{show_value(mark[0])} is a mark of a chat template that is not known whole"
            notes.error(f"{key}.text", what, "write what is said without it, as `messages`")
        message = {"role": "assistant" if is_learned else "user", "content": content}
        if content:
            said.append(KeyedMessage(key, message, _PARTS))
    return said


def _check_segment(key: str, segment: object, notes: RowNotes) -> None:
    if not isinstance(segment, dict) or not isinstance(segment.get("text"), str):
        notes.error(key, "an object with `label` and `text` is expected")
    elif not isinstance(segment.get("label"), bool):
        notes.error(
            f"{key}.label", f"{show_value(segment.get('label'))}; true is learned, false is read"
        )


_ARGILLA = ("chosen_response", "rejected_response")
# fmt: off
FORMS = (
    form("axolotl", "question chosen rejected", ("preference",), _pairs("question", "chosen", "rejected"),
         yields_to="instruction prompt",
         why="Axolotl's preference style intel: `question`, `chosen`, `rejected`"),
    form("axolotl", "input chosen rejected", ("preference",), _pairs("input", "chosen", "rejected"),
         yields_to="instruction prompt",
         why="Axolotl's preference style icr: `input`, `chosen`, `rejected`"),
    form("axolotl", "instruction chosen_response rejected_response", ("preference",),
         _pairs("instruction", *_ARGILLA), yields_to="prompt",
         why="Axolotl's preference style argilla: `instruction`, `chosen_response`, `rejected_response`"),
    form("axolotl", "prompt chosen_response rejected_response", ("preference",),
         _pairs("prompt", *_ARGILLA), yields_to="instruction",
         why="Axolotl's preference style argilla: `prompt`, `chosen_response`, `rejected_response`"),
    form("axolotl", "question completion", ("prompt_completion", "unpaired_preference"), _answers("question"),
         yields_to="prompt",
         why="Axolotl's kto style intel: `question`, `completion`, and `label` if it was judged"),
    form("axolotl", "instruction completion", ("prompt_completion", "unpaired_preference"),
         _answers("instruction"), yields_to="prompt",
         why="Axolotl's kto style argilla: `instruction`, `completion`, and `label` if it was judged"),
    form("axolotl", "messages chosen rejected", ("preference",), _chat_pair, _answer_messages,
         why="Axolotl's chat_template.default: the conversation, and a better and a worse answer to it"),
    form("axolotl", "segments", ("messages",), _segments,
         why="Axolotl's input_output: segments of text with a label each"),
)
# fmt: on
