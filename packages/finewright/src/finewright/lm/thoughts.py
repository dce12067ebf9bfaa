"""A bound on the length of thoughts: past it the template's own closing mark is written for the model.

    <think> so many tokens at most | \\n</think>\\n\\n | the answer
            generated                written here     generated

As Qwen 3's makers bound it ("thinking budget", arXiv:2505.09388, section 4.3), without their sentence before
the mark. The marks are those of the chat's template (`Chat.marks`); that what follows them is read as an
answer is tried first, on a short text."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from finewright.errors import DataError
from finewright.judge.answer import THINK, MarkPair
from finewright.lm.answers.reader import reader_of
from finewright.lm.chat import Chat

_THOUGHT, _SAID = "so it goes", "It is 4."
# Tokens in which a mark is looked for: those of a mark that is spelled letter by letter, and some more.
_WINDOW = 32


@dataclass(frozen=True, slots=True)
class ThoughtBound:
    """At most so many tokens of thought. `pair` are the marks that a thought stands between, `closing` the
    tokens that end one and begin what is said."""

    chat: Chat
    most: int
    pair: MarkPair
    closing: tuple[int, ...]

    def text(self, ids: Sequence[int]) -> str:
        """Tokens as text, with their marks."""
        return reader_of(self.chat).text(self.chat, ids)


def make_thought_bound(chat: Chat, most: int) -> ThoughtBound:
    """A bound for the answers of this chat. Raises DataError where its template has no place for thoughts, or
    marks that are not known here."""
    marks, pair = chat.marks, _pair(chat)
    if not marks.thinks:
        raise DataError(
            "the chat template has no place for thoughts, so none can be bounded",
            hint="leave max_thought_tokens out",
        )
    closing = chat.tokenizer(marks.closes, add_special_tokens=False)["input_ids"]
    opens = marks.opens or pair.open
    found = reader_of(chat).read(f"{opens}{_THOUGHT}{marks.closes}{_SAID}")
    is_read = (found.thoughts, found.content) == (_THOUGHT, _SAID)
    if not is_read or not chat.stop_ids.isdisjoint(closing):
        raise DataError(
            "the chat template closes thoughts in a way that is not known here, so none can be bounded",
            hint="leave max_thought_tokens out",
        )
    return ThoughtBound(chat, most, pair, tuple(closing))


def _pair(chat: Chat) -> MarkPair:
    """The marks between which this chat's thoughts stand."""
    marks, reader = chat.marks, reader_of(chat)
    if reader.channels is None:
        return next((pair for pair in reader.thoughts if pair.close in marks.closes), THINK)
    return MarkPair(marks.opens.strip(), "".join(marks.closes.strip().partition("|>")[:2]))


@dataclass(slots=True)
class Thoughts:
    """The thoughts of a batch of answers while they are generated, a row for each prompt."""

    bound: ThoughtBound
    rows: list["_Row"]

    @classmethod
    def after(cls, bound: ThoughtBound, prompts: Sequence[Sequence[int]]) -> "Thoughts":
        """Of answers to these prompts, which may open the thought themselves."""
        ends = (bound.text(prompt[-_WINDOW:]).rstrip() for prompt in prompts)
        return cls(bound, [_Row(end.endswith(bound.pair.open) or None) for end in ends])

    def choose_written(self, row: int, token: int) -> int:
        """What is written where the model chose this token: the token, or one that closes the thought."""
        return self.rows[row].choose_written(token, self.bound)

    def is_cut(self, row: int) -> bool:
        """Whether the row's thought was closed for the model."""
        return self.rows[row].is_cut


@dataclass(slots=True)
class _Row:
    """`thinks` is None until the answer's first words tell, and False once a thought is over."""

    thinks: bool | None
    is_cut: bool = False
    num_thought: int = 0
    last: list[int] = field(default_factory=list)
    forced: list[int] = field(default_factory=list)

    def choose_written(self, token: int, bound: ThoughtBound) -> int:
        if self.forced:
            return self.forced.pop(0)
        if self.thinks is False:
            return token
        closes = bound.pair.close in bound.text([token])
        if self.thinks and self.num_thought >= bound.most and not closes:
            self.thinks, self.is_cut = False, True
            first, *self.forced = bound.closing
            return first
        self.last = [*self.last[1 - _WINDOW :], token]
        self._look(bound.text(self.last), bound.pair)
        return token

    def _look(self, text: str, pair: MarkPair) -> None:
        """Find out from the last words whether the answer thinks."""
        if self.thinks:
            self.num_thought += 1
            self.thinks = pair.close not in text
            return
        begun = text.lstrip()
        if begun.startswith(pair.open):
            self.thinks = True
        elif begun and not pair.open.startswith(begun):
            self.thinks = False
