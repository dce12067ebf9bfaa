"""`chat`: an answer, piece by piece."""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple

from finewright.judge.answer import Answer
from finewright.workbench.systems import System

if TYPE_CHECKING:
    from finewright.lm.chat import Chat


@dataclass(frozen=True, slots=True)
class Manner:
    """How answers are made; temperature 0 is greedy."""

    max_new_tokens: int
    temperature: float
    seed: int


class Spoken(NamedTuple):
    """A piece of an answer, and what it is a piece of."""

    kind: Literal["thoughts", "content", "call", "fault"]
    text: str


def answer(system: System, messages: Sequence[dict[str, str]], manner: Manner) -> Iterator[Spoken]:
    """The assistant's next turn in pieces that never split a character: thoughts and content as they come,
    then each call, and what could not be read."""
    from finewright.lm.generate import Sampling, stream

    chat = system.chat
    asked = chat.prompt(messages)
    ids = chat.tokens(asked).ids
    sampling = Sampling(manner.max_new_tokens, manner.temperature, seed=manner.seed)
    tokens = stream(system.lm, ids, stop_ids=chat.stop_ids, sampling=sampling)
    return spoken(chat, asked.text, tokens)


def spoken(chat: "Chat", prompt: str, tokens: Iterable[int]) -> Iterator[Spoken]:
    """The pieces of the answer that tokens are, as they come."""
    from finewright.lm.answers.reader import reader_of

    reader, shown = reader_of(chat), Answer("")
    known: list[int] = []
    for token in tokens:
        known.append(token)
        text = reader.text(chat, known)
        # A trailing replacement character is half of one that the next token completes.
        if not text.endswith("\ufffd"):
            found = reader.so_far(text, prompt)
            yield from _grown(shown, found)
            shown = found
    whole = reader.read(reader.text(chat, known), prompt)
    yield from _grown(shown, whole)
    for call in whole.calls:
        yield Spoken("call", f"{call.name} {json.dumps(call.arguments, ensure_ascii=False)}")
    if whole.fault:
        yield Spoken("fault", whole.fault)


def _grown(before: Answer, after: Answer) -> Iterator[Spoken]:
    """What came to the thoughts and to the content; all anew where what was shown turned out to be else."""
    pairs: tuple[tuple[Literal["thoughts", "content"], str, str], ...] = (
        ("thoughts", before.thoughts, after.thoughts),
        ("content", before.content, after.content),
    )
    for kind, shown, text in pairs:
        if not shown.startswith(text):
            yield Spoken(kind, text.removeprefix(shown))
