"""The marks of a chat template: how it writes a thought, an answer and their end. Found by rendering.

Qwen 3     <|im_start|>assistant\\n | <think>\\n  thought  \\n</think>\\n\\n  content  <|im_end|>\\n
gpt-oss    <|start|>assistant | <|channel|>analysis<|message|>  thought  <|end|><|start|>assistant...
           what is asked        opens                           closes            content     ends
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from finewright.errors import DataError
from finewright.lm.template import ChatTemplate

THOUGHT_KEYS = ("reasoning_content", "thinking", "reasoning")
# Apart from the first character on, and written alike in JSON.
THOUGHT, CONTENT = "left-mark\ue003", "right-mark\ue003"
_PART = "\ue003"
QUESTION = {"role": "user", "content": "Hi"}
CALL: dict[str, Any] = {
    "type": "function",
    "id": "a1b2c3d4e",
    "function": {"name": "clock", "arguments": {}},
}
_THINK = "<think>"
# DeepSeek-R1's template takes thoughts out of answers; this is how its model writes them.
_R1_CLOSES = "\n</think>\n\n"


PartKey = TypeVar("PartKey")


def part_mark(what: str, *places: int) -> str:
    """What stands in a rendering in place of a part of a conversation, to see whether it is written."""
    return f"{what}-{'-'.join(map(str, places))}{_PART}"


def unwritten(marks: Mapping[PartKey, str], rendering: str) -> list[PartKey]:
    """The parts whose marks a rendering lacks: its template does not write them."""
    return [part for part, mark in marks.items() if mark not in rendering]


@dataclass(frozen=True, slots=True)
class Marks:
    """What a template writes around the parts of an answer, from the end of the generation prompt on.

    `key` is the message's key in which it takes a thought; empty where it has none, and a thought is at best
    a part of the content. `opens` goes before a
    thought and is empty where the generation prompt opens it (`is_open`); `closes` stands between the thought
    and what follows. `unthought` goes before a content without a thought. `ends` is what follows the content,
    to the end of the rendering."""

    key: str
    is_open: bool
    opens: str
    closes: str
    unthought: str
    ends: str

    @property
    def thinks(self) -> bool:
        """Whether the template has a place of its own for thoughts."""
        return bool(self.key) or self.is_open


def find_marks(template: ChatTemplate) -> Marks:
    """The template's marks. Raises DataError where it cannot render a question and its answer."""
    try:
        return _find_marks(template)
    except DataError:
        raise
    except Exception as error:  # a template is a program of somebody else, and may fail in any way
        raise DataError(
            f"the chat template fails on a question and its answer: {type(error).__name__}: {error}",
            hint="put the family's own template into chat_template.jinja",
        ) from None


def _find_marks(template: ChatTemplate) -> Marks:
    prompt = template.text([QUESTION], ask=True)
    plain = template.text([QUESTION, _answer()])
    if CONTENT not in plain:
        raise DataError("the chat template leaves out what an assistant says")
    before, _, ends = plain.rpartition(CONTENT)
    unthought = before.removeprefix(prompt) if before.startswith(prompt) else ""
    opened = prompt.rstrip().endswith(_THINK)
    for key in THOUGHT_KEYS:
        text = template.text([QUESTION, _answer({key: THOUGHT})])
        if THOUGHT in text:
            head, _, rest = text.rpartition(THOUGHT)
            closes, _, _ = rest.rpartition(CONTENT)
            is_open = head == prompt != before
            if is_open and not before.startswith(prompt):
                unthought = closes  # a thought of no words
            opens = _after(prompt, before, head)
            return Marks(key, is_open, opens, closes, unthought, ends)
    key, opens, closes = _beside_call(template, prompt, before)
    if not key and opened:
        closes = _R1_CLOSES
    elif not key:
        opens, closes = _within_content(template, prompt, before)
    return Marks(key, opened, opens, closes, unthought, ends)


def _within_content(template: ChatTemplate, prompt: str, before: str) -> tuple[str, str]:
    """The opening and the close of a thought that is written into the content, as its text or split off."""
    content = f"<think>\n{THOUGHT}\n</think>\n\n{CONTENT}"
    text = template.text([QUESTION, _answer({"content": content})])
    head, found, rest = text.rpartition(THOUGHT)
    return (_after(prompt, before, head), rest.rpartition(CONTENT)[0]) if found else ("", "")


def _beside_call(template: ChatTemplate, prompt: str, before: str) -> tuple[str, str, str]:
    """The key, opening and close of a thought where only an answer that calls a tool may have one."""
    try:
        alone = template.text([QUESTION, _answer({"content": "", "tool_calls": [CALL]})])
        for key in THOUGHT_KEYS:
            called = _answer({"content": "", "tool_calls": [CALL], key: THOUGHT})
            text = template.text([QUESTION, called])
            if THOUGHT in text:
                head, _, rest = text.rpartition(THOUGHT)
                return (
                    key,
                    _after(prompt, before, head),
                    rest[: -_alike_at_end(rest, alone) or None],
                )
    except DataError:  # it has no words for calls
        pass
    return "", "", ""


def _alike_at_end(one: str, other: str) -> int:
    """Characters with which both end."""
    pairs = enumerate(zip(reversed(one), reversed(other), strict=False))
    return next((i for i, (a, b) in pairs if a != b), min(len(one), len(other)))


def _after(prompt: str, before: str, head: str) -> str:
    """What stands before a thought; `before` is what stands before a content.

    A prompt that closes an empty thought begins no answer that thinks."""
    for lead in (prompt, before):
        if head.startswith(lead):
            return head.removeprefix(lead)
    return "".join(head.rpartition(_THINK)[1:])


def _answer(more: Mapping[str, Any] | None = None) -> dict[str, Any]:  # Any: free JSON
    return {"role": "assistant", "content": CONTENT, **(more or {})}
