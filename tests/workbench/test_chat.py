"""What is shown of an answer as it comes: thoughts apart, content plainly, calls as calls."""

import pytest

from families.families import chat as family_chat
from finewright.workbench.chat import Spoken, spoken

pytestmark = pytest.mark.torch
CHAT = family_chat("qwen3")


def said(text: str) -> list[Spoken]:
    """The pieces of an answer of these tokens."""
    return list(spoken(CHAT, "", CHAT.tokenizer(text, add_special_tokens=False)["input_ids"]))


def joined(pieces: list[Spoken], kind: str) -> str:
    return "".join(piece.text for piece in pieces if piece.kind == kind)


def test_thoughts_content_and_calls_come_apart() -> None:
    call = '<tool_call>\n{"name": "weather", "arguments": {"city": "東京"}}\n</tool_call>'
    pieces = said(f"<think>\nTwo, or 5 < 6?\n</think>\n\nI look.\n{call}")
    assert joined(pieces, "thoughts") == "Two, or 5 < 6?"
    assert joined(pieces, "content").strip() == "I look."
    assert joined(pieces, "call") == 'weather {"city": "東京"}'
    kinds = [piece.kind for piece in pieces]
    assert kinds == sorted(kinds, key=["thoughts", "content", "call"].index)
    assert len(pieces) > 10  # as they come


def test_what_cannot_be_read_is_said() -> None:
    pieces = said("<think>\nwell, well")
    assert (joined(pieces, "thoughts"), joined(pieces, "content")) == ("well, well", "")
    assert joined(pieces, "fault") == "a thought that never closes"
