"""What is shown of an answer as it comes: thoughts apart, content plainly, calls as calls."""

import pytest

from families.families import chat as family_chat
from finewright.lm.answers.reader import reader_of
from finewright.workbench.chat import Spoken, read_stream

pytestmark = pytest.mark.torch
CHAT = family_chat("qwen3")


def said(text: str) -> list[Spoken]:
    """The pieces of an answer of these tokens."""
    return list(read_stream(CHAT, "", CHAT.tokenizer(text, add_special_tokens=False)["input_ids"]))


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


@pytest.mark.parametrize("family", ["qwen3", "llama3_1", "mistral_v3", "gemma3"])
@pytest.mark.parametrize(
    "text",
    [
        "\U0001f9ea\U0001f469\U0001f3fd\u200d\U0001f52c cafe\u0301 東京 \ufffd x \u1f600 ",
        " \n  Paris , is n't it ?  No <, <t, </think> \n",
        "<think>\n é東 \n</think>\n\n  4 < 5 ",
    ],
)
def test_no_piece_is_shown_twice_and_none_is_lost(family: str, text: str) -> None:
    chat = family_chat(family)
    ids = chat.tokenizer(text, add_special_tokens=False)["input_ids"]
    reader = reader_of(chat)
    whole = reader.read(reader.text(chat, ids))
    pieces = list(read_stream(chat, "", ids))
    assert joined(pieces, "content").strip() == whole.content.strip()
    assert joined(pieces, "thoughts") == whole.thoughts


@pytest.mark.parametrize("before", [" I look. ", "\n\nI look.\n", "", " "])
@pytest.mark.parametrize("after", ["", " Done. "])
def test_blanks_around_a_call_repeat_nothing(before: str, after: str) -> None:
    call = '<tool_call>{"name": "f", "arguments": {}}</tool_call>'
    pieces = said(f"{before}{call}{after}")
    assert joined(pieces, "content").split() == f"{before}{after}".split()
    assert joined(pieces, "call") == "f {}"
