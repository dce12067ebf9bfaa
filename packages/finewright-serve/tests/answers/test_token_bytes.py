"""The bytes of tokens, one after the other, are those of the text."""

import pytest
from tests.lm.answers.test_window import with_byte_fallback

import tiny
from finewright_serve.answers.token_bytes import token_bytes

pytestmark = pytest.mark.torch


def test_bytes_of_a_byte_level_vocabulary_are_those_of_the_text() -> None:
    tokenizer = tiny.tiny_tokenizer()
    text = "the red door é 漢字 🙂\n"
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    assert b"".join(token_bytes(tokenizer, token) for token in ids).decode() == text


def test_a_byte_token_is_its_byte() -> None:
    assert token_bytes(with_byte_fallback(), 8 + 0xE2) == b"\xe2"
