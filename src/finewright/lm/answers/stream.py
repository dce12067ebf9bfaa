"""An answer read while it is written: what may be shown of it, up to the text that stopped it."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from finewright.judge.answer import Answer
from finewright.lm.answers.reader import AnswerReader, Tools
from finewright.lm.answers.window import HALF, TextWindow, plain_text
from finewright.lm.chat import Chat


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
    _shown: Answer = field(default_factory=lambda: Answer(""))
    _window: TextWindow = field(init=False)

    def __post_init__(self) -> None:
        dropped = frozenset[int]() if self.reader is None else self.reader.dropped_ids
        self._window = TextWindow(self.chat.tokenizer, dropped)

    def add(self, tokens: Sequence[int]) -> Answer:
        """What can be shown since the last time; nothing of a half character, mark or stop."""
        self.ids += tokens
        text = self._window.add(list(tokens))
        if text.endswith(HALF):
            return Answer("")
        text = text[: len(text) - _overlap(text, self.stops)]
        if self.reader is None:
            return self._show(Answer(text))
        return self._show(self.reader.so_far(text, self.prompt))

    def end(self, tokens: Sequence[int] = (), *, ended: bool) -> Answer:
        """The rest, with the last tokens; `ended` is False where the answer was cut off at its longest."""
        self.ids += tokens
        text = self._text()
        text = text[
            : min((at for stop in self.stops if (at := text.find(stop)) >= 0), default=None)
        ]
        if self.reader is None:
            return self._rest(Answer(text, ended=ended))
        return self._rest(self.reader.read(text, self.prompt, self.tools, ended=ended))

    def _text(self) -> str:
        if self.reader is not None:
            return self.reader.text(self.chat, self.ids)
        return plain_text(self.chat.tokenizer, self.ids)

    def _show(self, found: Answer) -> Answer:
        content = _more(self._shown.content, found.content)
        thoughts = _more(self._shown.thoughts, found.thoughts)
        self._shown = Answer(self._shown.content + content, self._shown.thoughts + thoughts)
        return Answer(content, thoughts)

    def _rest(self, whole: Answer) -> Answer:
        content = rest_of(self._shown.content, whole.content)
        thoughts = rest_of(self._shown.thoughts, whole.thoughts)
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
