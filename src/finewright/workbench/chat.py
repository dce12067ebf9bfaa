"""`chat`: an answer, piece by piece."""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple

from finewright.compare.models import LoadedModel
from finewright.judge.answer import Answer
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

    kind: Literal["thoughts", "content", "call", "fault"]
    text: str


def answer(
    system: LoadedModel, messages: Sequence[dict[str, str]], manner: Manner
) -> Iterator[Spoken]:
    """The assistant's next turn in pieces that never split a character: thoughts and content as they come,
    then each call, and what could not be read.

    Raises DataError where thoughts are to be bounded and the chat template knows none."""
    from finewright.lm.generate import Sampling, stream
    from finewright.lm.thoughts import Thoughts, thought_bound

    chat = system.chat
    prompt = chat.prompt(messages)
    ids = chat.tokens(prompt).ids
    sampling = Sampling(manner.max_new_tokens, manner.temperature, seed=manner.seed)
    most, thoughts = manner.max_thought_tokens, None
    if most is not None:
        thoughts = Thoughts.after(thought_bound(chat, most), [ids])
    tokens = stream(system.lm, ids, stop_ids=chat.stop_ids, sampling=sampling, thoughts=thoughts)
    yield from spoken(chat, prompt.text, tokens)
    if thoughts is not None and thoughts.is_cut(0):
        yield Spoken("fault", f"the thought was closed after {most} tokens")


def spoken(chat: "Chat", prompt: str, tokens: Iterable[int]) -> Iterator[Spoken]:
    """The pieces of the answer that tokens are, as they come."""
    from finewright.lm.answers.reader import reader_of

    reader, known = reader_of(chat), list[int]()
    shown = Answer("")
    for token in tokens:
        known.append(token)
        text = reader.text(chat, known)
        # A trailing replacement character is half of one that the next token completes.
        if not text.endswith("\ufffd"):
            found = reader.so_far(text, prompt)
            thoughts = _more(shown.thoughts, found.thoughts)
            content = _more(shown.content, found.content)
            yield from _pieces(thoughts, content)
            shown = Answer(shown.content + content, shown.thoughts + thoughts)
    whole = reader.read(reader.text(chat, known), prompt)
    yield from _pieces(_rest(shown.thoughts, whole.thoughts), _rest(shown.content, whole.content))
    for call in whole.calls:
        yield Spoken("call", f"{call.name} {json.dumps(call.arguments, ensure_ascii=False)}")
    if whole.fault:
        yield Spoken("fault", whole.fault)


def _pieces(thoughts: str, content: str) -> Iterator[Spoken]:
    if thoughts:
        yield Spoken("thoughts", thoughts)
    if content:
        yield Spoken("content", content)


def _more(shown: str, text: str) -> str:
    """What of the text comes after what was shown of it; nothing where it begins otherwise, or went back."""
    return text[len(shown) :] if text.startswith(shown) else ""


def _rest(shown: str, text: str) -> str:
    """What is yet to be shown of a whole text, where blanks may differ; all anew where it reads otherwise."""
    if text.startswith(shown):
        return text[len(shown) :]
    if shown.lstrip().startswith(text):
        return ""
    for begun in (shown.lstrip(), shown.strip()):
        if text.lstrip().startswith(begun):
            return text.lstrip()[len(begun) :]
    return f"\n{text}"
