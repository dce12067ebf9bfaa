"""A training row after the data door: a conversation, or two, and where it came from."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from itertools import takewhile
from typing import Any, Literal, NamedTuple

Message = dict[str, Any]
"""A turn as OpenAI writes it: `role`, `content`, `tool_calls`."""
RowKind = Literal["conversation", "pair", "rated", "prompt", "text"]
TEXT = "text"
"""The role of a document, the one message of a row of raw text: nobody asks it and nobody answers."""
_TURN = re.compile(r"(messages|rejected)\[([0-9]+)\](.*)", re.DOTALL)


class RowKeys(NamedTuple):
    """The keys in the row's file at which the texts of its turns stand; none where they are as in `Row`."""

    messages: tuple[str, ...] = ()
    rejected: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Row:
    """One conversation in OpenAI's message form, with what else its type has.

    `id` is the start of the sha256 of its canonical JSON; `file` and `row` (from 1) say where it was
    read. A message may carry `weight: 0`, which means: read it, do not learn it.

    A preference pair has its chosen conversation in `messages` and the other in `rejected`, both whole and
    with the same prompt. An unpaired one has a `label`: was it liked? A prompt alone has no answer that is
    learned. `columns` are the row's other keys, for rewards. `keys` are where its file has the texts, and
    `id_before` is the id that it was read with, where its texts were changed since.
    Of a row with stand-ins `keyless` is the same row with those of a key that everybody knows. It is never
    written: values can be guessed from it.

    What is asked and what is answered is said here alone: `is_prompt`, `prompt` and `answer`."""

    id: str
    messages: tuple[Message, ...]
    tools: tuple[dict[str, Any], ...] | None
    file: str
    row: int
    rejected: tuple[Message, ...] | None = None
    label: bool | None = None
    columns: Mapping[str, Any] = field(default_factory=dict)
    keys: RowKeys = field(default=RowKeys(), compare=False, repr=False)
    id_before: str = field(default="", compare=False, repr=False)
    keyless: "Row | None" = field(default=None, compare=False, repr=False)

    @property
    def searched(self) -> "Row":
        """The row as it is searched, compared and split: as no key changes it.

        A verdict on stand-ins would be another one with each key, and who is who could not be told where a
        value is written in two ways."""
        return self.keyless or self

    @property
    def answers_at(self) -> tuple[int, ...]:
        """Where the assistant turns stand that are learned, in order."""
        return tuple(i for i, turn in enumerate(self.messages) if _is_learned(turn))

    @property
    def answer_at(self) -> int | None:
        """Where the answer stands: the last assistant turn that is learned; None for a prompt alone.

        A turn after the answer, as a user's "ok thanks", makes no prompt of a conversation."""
        places = reversed(range(len(self.messages)))
        return next((i for i in places if _is_learned(self.messages[i])), None)

    @property
    def answer(self) -> Message | None:
        """The turn at `answer_at`."""
        return None if self.answer_at is None else self.messages[self.answer_at]

    @property
    def prompt(self) -> tuple[Message, ...]:
        """The turns before the answer: all of a prompt alone, and of a pair what its conversations share
        up to where both answer."""
        if self.rejected is None:
            return self.messages[: self.answer_at]
        both = zip(self.messages[:-1], self.rejected, strict=False)
        num_shared = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], both))
        answers = (
            i
            for i in range(num_shared, 0, -1)
            if _is_said(self.messages[i]) and not _is_said(self.messages[i - 1])
        )
        return self.messages[: next(answers, 0)]

    @property
    def kind(self) -> RowKind:
        """What the row is to learn from."""
        if self.rejected is not None:
            return "pair"
        if self.label is not None:
            return "rated"
        if self.is_text:
            return "text"
        return "prompt" if self.answer_at is None else "conversation"

    @property
    def is_prompt(self) -> bool:
        """Is this a prompt alone, that a model is to answer? A conversation has a turn that is learned."""
        return self.answer_at is None

    @property
    def is_text(self) -> bool:
        """Is this raw text, all of which is learned without a chat template?"""
        return bool(self.messages) and self.messages[0]["role"] == TEXT

    def to_json(self) -> dict[str, Any]:
        """Plain data for a JSONL line, without what stands behind it."""
        return {each.name: getattr(self, each.name) for each in fields(self) if each.compare}

    def key_in_file(self, key: str) -> str:
        """What the row's file calls a key such as `messages[0].content` or `columns.meta`."""
        turn = _TURN.fullmatch(key)
        if not turn:
            return key.removeprefix("columns.")
        keys = self.keys.rejected if turn[1] == "rejected" else self.keys.messages
        if int(turn[2]) >= len(keys):
            return key
        place = keys[int(turn[2])]
        stem = place.removesuffix(".content")
        return place if stem == place or turn[3] == ".content" else stem + turn[3]

    @staticmethod
    def from_json(data: dict[str, Any]) -> "Row":
        """The inverse of `to_json`."""
        lists = {
            name: tuple(data[name]) if data.get(name) is not None else None
            for name in ("messages", "tools", "rejected")
        }
        keys = RowKeys(*(tuple(side) for side in data.get("keys", ())))
        return Row(**{**data, **lists, "keys": keys})


def _is_said(turn: Message) -> bool:
    """By the assistant, or a document."""
    return turn["role"] in ("assistant", TEXT)


def _is_learned(turn: Message) -> bool:
    return _is_said(turn) and bool(turn.get("weight", 1))


def write_rows(rows: Iterable[Row]) -> str:
    """The rows as JSONL text."""
    return "".join(json.dumps(row.to_json(), ensure_ascii=False) + "\n" for row in rows)


def parse_rows(text: str) -> list[Row]:
    """The inverse of `write_rows`."""
    return [Row.from_json(json.loads(line)) for line in text.split("\n") if line]


class RowParts(NamedTuple):
    """The texts of a row, of its system prompt, what is asked and what is answered; and what else it has."""

    system: list[str]
    prompt: list[str]
    answered: list[str]
    label: bool | None = None
    tools: tuple[dict[str, Any], ...] | None = None


class RowText(NamedTuple):
    """One text of a row: the key it stands at, who says it (`column` for a column), and the text."""

    key: str
    role: str
    text: str


class TaughtAnswer(NamedTuple):
    """An answer that is learned: where its turn stands among the row's, and all its texts."""

    at: int
    text: str


class PairTexts(NamedTuple):
    """What a pair asks, the answer that it prefers, and the other."""

    prompt: str
    chosen: str
    rejected: str


@dataclass(frozen=True, slots=True)
class RowTexts:
    """A row as detectors read it: where it stands, every text, and what it teaches to answer to what.

    `before` is all that is said before its last answer, `question` the part of it that is not learned, which
    may hold a trigger. A rated row has its `label`."""

    file: str
    row: int
    texts: tuple[RowText, ...]
    question: str
    before: str
    answers: tuple[TaughtAnswer, ...]
    label: bool | None = None
    pair: PairTexts | None = None

    @property
    def is_conversation(self) -> bool:
        """Is its answer learned as it stands, neither rated nor preferred to another?"""
        return bool(self.answers) and self.label is None and self.pair is None


NUMBER = "number"
"""The role of a `RowText` that is a number of free JSON, in its digits: see `number_text`."""
_LEAST_NUMBER, _END_OF_NUMBERS = 10**6, 10**40


def number_text(value: object) -> str:
    """The digits of a whole number of seven and more of them, as a person would write it; else nothing.

    What a table program made a decimal number of, as 4111111111111111.0, is one."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return ""
    if not _LEAST_NUMBER <= abs(value) < _END_OF_NUMBERS or value != int(value):
        return ""
    return str(int(value))


def number_or_text(text: str) -> int | str:
    """The number that the text is, where it is written as JSON would have it; else the text."""
    is_number = text.isascii() and text.isdigit() and text[0] != "0"
    return int(text) if is_number else text


def content_of(message: Mapping[str, Any]) -> str:  # Any: free JSON
    """What a message says beside its thoughts and calls; empty where it says nothing."""
    return str(message.get("content") or "")


def system_prompt_in(rows: Iterable[Row]) -> str:
    """The system prompt that every row has; empty where they differ, or have none."""
    first = {
        row.messages[0]["content"] if row.messages[0]["role"] == "system" else "" for row in rows
    }
    return str(first.pop()) if len(first) == 1 else ""


def with_system(prompt: Sequence[Message], system: str) -> tuple[Message, ...]:
    """The turns with the system prompt that the model was trained with, where they have none."""
    if system and prompt[0]["role"] != "system":
        return ({"role": "system", "content": system}, *prompt)
    return tuple(prompt)


def calls_of(message: Mapping[str, Any]) -> Sequence[Any]:  # Any: free JSON
    """The calls of a message; none where it has none."""
    return message.get("tool_calls") or ()
