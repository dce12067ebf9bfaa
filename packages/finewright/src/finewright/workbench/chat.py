"""`chat`: an answer, piece by piece."""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple

from finewright.compare.local import LoadedModel
from finewright.errors import DataError
from finewright.judge.answer import Answer, ThoughtAndContent
from finewright.workbench.systems import refuse_thoughts

if TYPE_CHECKING:
    from finewright.lm.chat import Chat


@dataclass(frozen=True, slots=True)
class Manner:
    """How answers are made; temperature 0 is greedy. Raises DataError where thoughts leave no room."""

    max_new_tokens: int
    temperature: float
    seed: int
    max_thought_tokens: int | None = None

    def __post_init__(self) -> None:
        refuse_thoughts(self.max_thought_tokens, self.max_new_tokens)


class Spoken(NamedTuple):
    """A piece of an answer, and what it is a piece of."""

    kind: Literal["thoughts", "content", "call", "fault", "source", "guard"]
    text: str


def answer(
    system: LoadedModel, messages: Sequence[dict[str, str]], manner: Manner
) -> Iterator[Spoken]:
    """The assistant's next turn in pieces that never split a character: thoughts and content as they come,
    then each call, and what could not be read.

    Raises DataError where thoughts are to be bounded and the chat template knows none, where it leaves out a
    part of the conversation, and where that fills all that the model reads."""
    from finewright.evaluate.answers import reads_of
    from finewright.lm.generate import Sampling, stream
    from finewright.lm.thoughts import Thoughts, make_thought_bound

    chat = system.chat
    prompt = chat.whole_prompt(messages)
    ids = chat.tokens(prompt).ids
    room = _room(len(ids), reads_of(system.lm), manner.max_new_tokens)
    sampling = Sampling(room, manner.temperature, seed=manner.seed)
    most, thoughts = manner.max_thought_tokens, None
    if most is not None:
        thoughts = Thoughts.after(make_thought_bound(chat, most), [ids])
    tokens = stream(
        system.lm,
        ids,
        stop_ids=chat.stop_ids,
        sampling=sampling,
        thoughts=thoughts,
        draft=system.draft,
    )
    yield from read_stream(chat, prompt.text, tokens)
    if thoughts is not None and thoughts.is_cut(0):
        yield Spoken("fault", f"the thought was closed after {most} tokens")


def _room(num_tokens: int, reads: int | None, max_new_tokens: int) -> int:
    """The most tokens of an answer to so many."""
    if reads is None:
        return max_new_tokens
    if num_tokens >= reads:
        raise DataError(
            f"the conversation fills the {reads:,} tokens that the model reads",
            hint="begin a new one",
        )
    return min(max_new_tokens, reads - num_tokens)


def read_stream(chat: "Chat", prompt: str, tokens: Iterable[int]) -> Iterator[Spoken]:
    """The pieces of the answer that tokens are, as they come."""
    from finewright.lm.answers.reader import reader_of
    from finewright.lm.answers.stream import AnswerStream

    written = AnswerStream(chat, reader_of(chat), prompt)
    for token in tokens:
        yield from _pieces(written.add([token]))
    whole = written.end(ended=True)
    yield from _pieces(whole)
    for call in whole.calls:
        yield Spoken("call", f"{call.name} {json.dumps(call.arguments, ensure_ascii=False)}")
    if whole.fault:
        yield Spoken("fault", whole.fault)


def _pieces(found: Answer | ThoughtAndContent) -> Iterator[Spoken]:
    if found.thoughts:
        yield Spoken("thoughts", found.thoughts)
    if found.content:
        yield Spoken("content", found.content)
