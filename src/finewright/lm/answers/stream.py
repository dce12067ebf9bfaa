"""An answer read while it is written: what may be shown of it, up to the first of the texts that stop it."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from finewright.judge.answer import Answer
from finewright.lm.answers.reader import AnswerReader, Tools
from finewright.lm.answers.window import HALF, TextWindow
from finewright.lm.chat import Chat


@dataclass(slots=True)
class AnswerStream:
    """The answer to `prompt`, token by token. Without `reader` it is text as it stands, with no thoughts and
    no calls. Where one of `stops` is written the answer ends before it."""

    chat: Chat
    reader: AnswerReader | None
    prompt: str
    tools: Tools | None = None
    stops: tuple[str, ...] = ()
    ids: list[int] = field(default_factory=list)
    is_stopped: bool = False
    _shown: Answer = field(default_factory=lambda: Answer(""))
    _window: TextWindow = field(init=False)
    _num_searched: int = 0

    def __post_init__(self) -> None:
        dropped = frozenset[int]() if self.reader is None else self.reader.dropped_ids
        self._window = TextWindow(self.chat.tokenizer, dropped)

    def add(self, tokens: Sequence[int]) -> Answer:
        """What can be shown since the last time; nothing of a half character, mark or stop."""
        self.ids += tokens
        text = self._window.add(list(tokens))
        if text.endswith(HALF):
            return Answer("")
        at = self._stop_at(text, self._num_searched)
        self._num_searched = len(text)
        if at is not None:
            self.is_stopped = True
            return Answer("")
        text = text[: len(text) - _overlap(text, self.stops)]
        if self.reader is None:
            return self._show(Answer(text))
        return self._show(self.reader.so_far(text, self.prompt))

    def end(self, *, ended: bool) -> Answer:
        """All the rest: `ended` is False where the answer was cut off at its longest."""
        text = self._text()
        at = self._stop_at(text)
        text = text if at is None else text[:at]
        is_whole = ended or at is not None
        if self.reader is None:
            return self._rest(Answer(text, ended=is_whole))
        return self._rest(self.reader.read(text, self.prompt, self.tools, ended=is_whole))

    def _text(self) -> str:
        if self.reader is not None:
            return self.reader.text(self.chat, self.ids)
        return str(self.chat.tokenizer.decode(self.ids, clean_up_tokenization_spaces=False))

    def _stop_at(self, text: str, before: int = 0) -> int | None:
        """Where the first stop is; none was in the text up to `before`."""
        found = [
            at for stop in self.stops if (at := text.find(stop, max(0, before - len(stop)))) >= 0
        ]
        return min(found, default=None)

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
