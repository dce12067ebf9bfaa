"""A Modelfile says what the model's template says, or is refused."""

import pytest

import tiny
from finewright.errors import ModelError
from finewright.lm.chat import Chat, find_end_of_turn
from finewright_bridge.export.ollama import modelfile

pytestmark = pytest.mark.torch


def chat(template):
    tokenizer = tiny.tiny_tokenizer()
    tokenizer.chat_template = tiny.TEMPLATES[template]
    return Chat(tokenizer, find_end_of_turn(tokenizer, []))


def test_chatml_with_the_system_prompt_that_the_template_adds():
    text = modelfile(chat("chatml"), "model.gguf")
    assert text.startswith("FROM ./model.gguf\n")
    assert (
        'SYSTEM """You are a helpful AI assistant named SmolLM, trained by Hugging Face"""' in text
    )
    assert '{{ else if eq .Role "user" }}<|im_start|>user\n{{ .Content }}<|im_end|>\n' in text
    assert text.count("<|im_start|>assistant\n") == 2
    assert 'PARAMETER stop "<|im_end|>"' in text


def test_a_template_that_moves_the_system_prompt_is_refused():
    with pytest.raises(ModelError, match="cannot say what this model's template says"):
        modelfile(chat("gemma"), "model.gguf")
