"""An answer read while it is written: what may be shown of it, up to the text that stopped it."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from finewright.judge.answer import Answer, ThoughtAndContent
from finewright.lm.answers.begun import BegunCall
from finewright.lm.answers.reader import AnswerReader, Tools
from finewright.lm.answers.window import HALF, TextWindow, plain_text
from finewright.lm.chat import Chat

_NOTHING = ThoughtAndContent("", "")


@dataclass(slots=True)
class AnswerStream:
    """The answer to `prompt`, token by token. Without `reader` it is text as it stands, with no thoughts and
    no calls. It is shown up to the first of `stops`, at which whoever writes it ends."""

    chat: Chat
    reader: AnswerReader | None
    prompt: str
    tools: Tools | None = None
    stops: tuple[str, ...] = ()
    ids: list[int] = field(default_factory=list)
    begun: tuple[BegunCall, ...] = ()
    """The calls so far, where there are `tools` and the reader knows them before the end."""
    _thoughts: str = ""
    _content: str = ""
    _window: TextWindow = field(init=False)
    _begin: frozenset[str] = field(init=False)
    """The characters that a mark or a stop begins with."""
    _is_plain: bool = False
    """Is the content shown all of the text? Then so is what comes, unless a mark or stop begins in it."""

    def __post_init__(self) -> None:
        dropped = frozenset[int]() if self.reader is None else self.reader.dropped_ids
        self._window = TextWindow(self.chat.tokenizer, dropped)
        marks = frozenset[str]() if self.reader is None else self.reader.marks
        self._begin = frozenset(text[0] for text in (*marks, *self.stops))

    def add(self, tokens: Sequence[int]) -> ThoughtAndContent:
        """What can be shown since the last time; nothing of a half character, mark or stop."""
        self.ids += tokens
        text = self._window.add(tokens)
        if text.endswith(HALF):
            return _NOTHING
        if self._is_plain and text.startswith(self._content):
            more = text[len(self._content) :]
            if self._begin.isdisjoint(more):
                self._content = text
                return ThoughtAndContent("", more)
        shown = text[: len(text) - _overlap(text, self.stops)]
        found = self._show(self.reader.so_far(shown, self.prompt) if self.reader else Answer(shown))
        self._begin_calls(shown)
        has_channels = self.reader is not None and self.reader.channels is not None
        # no text yet says nothing: the prompt may have opened a thought
        is_all = bool(text) and text == self._content
        self._is_plain = is_all and not self._thoughts and not has_channels
        return found

    def end(self, tokens: Sequence[int] = (), *, ended: bool) -> Answer:
        """The rest, with the last tokens; `ended` is False where the answer was cut off at its longest."""
        self.ids += tokens
        text = self._text()
        text = text[
            : min((at for stop in self.stops if (at := text.find(stop)) >= 0), default=None)
        ]
        if self.reader is None:
            return self._rest(Answer(text, ended=ended))
        self._begin_calls(text)
        return self._rest(self.reader.read(text, self.prompt, self.tools, ended=ended))

    def _begin_calls(self, text: str) -> None:
        if self.reader is not None and self.tools:
            self.begun = self.reader.calls_so_far(text, self.prompt)

    def _text(self) -> str:
        if self.reader is not None:
            return self.reader.text(self.chat, self.ids)
        return plain_text(self.chat.tokenizer, self.ids)

    def _show(self, found: Answer) -> ThoughtAndContent:
        content = _more(self._content, found.content)
        thoughts = _more(self._thoughts, found.thoughts)
        self._content += content
        self._thoughts += thoughts
        return ThoughtAndContent(thoughts, content)

    def _rest(self, whole: Answer) -> Answer:
        content = rest_of(self._content, whole.content)
        thoughts = rest_of(self._thoughts, whole.thoughts)
        return Answer(content, thoughts, whole.calls, whole.ended, whole.fault)


def _overlap(text: str, stops: Sequence[str]) -> int:
    """Characters at the end of a text with which one of the stops may begin."""
    longest = max(map(len, stops), default=1) - 1
    for length in range(min(longest, len(text)), 0, -1):
        if any(stop.startswith(text[-length:]) for stop in stops):
            return length
    return 0


def _more(shown: str, text: str) -> str:
    """What of the text comes after what was shown of it; nothing where it begins otherwise, or went back."""
    return text[len(shown) :] if text.startswith(shown) else ""


def rest_of(shown: str, text: str) -> str:
    """What is yet to be shown of a whole text, where blanks may differ; all anew where it reads otherwise."""
    if text.startswith(shown):
        return text[len(shown) :]
    if shown.lstrip().startswith(text):
        return ""
    for begun in (shown.lstrip(), shown.strip()):
        if text.lstrip().startswith(begun):
            return text.lstrip()[len(begun) :]
    return f"\n{text}"
