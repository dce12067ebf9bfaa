"""The catalog says which open models' templates have words for tools: by the makers' own templates."""

import pytest

from families.families import chat
from finewright.catalog.models import open_models
from finewright.errors import DataError

pytestmark = pytest.mark.torch

FAMILY_OF = {
    "gemma-3-270m": "gemma3",
    "Qwen2.5-0.5B": "qwen2_5",
    "Qwen2.5-1.5B": "qwen2_5",
    "Qwen2.5-7B": "qwen2_5",
    "Llama-3.1-8B": "llama3_1",
    "Qwen3-14B": "qwen3",
    "Mixtral-8x7B": "mixtral",
    "Llama-3.1-70B": "llama3_1",
}
TOOL = {"type": "function", "function": {"name": "get_price", "parameters": {"type": "object"}}}
CALL = {"id": "call00001", "type": "function", "function": {"name": "get_price", "arguments": {}}}
TURNS = (
    {"role": "user", "content": "what is it?"},
    {"role": "assistant", "content": "", "tool_calls": [CALL]},
    {"role": "tool", "tool_call_id": "call00001", "name": "get_price", "content": "7"},
    {"role": "assistant", "content": "It is 7."},
)


def holds(family: str) -> bool:
    try:
        chat(family).sequences(TURNS, (TOOL,))
    except DataError:
        return False
    return True


@pytest.mark.parametrize(("name", "family"), FAMILY_OF.items())
def test_a_model_is_said_to_hold_tools_where_its_template_does(name: str, family: str) -> None:
    assert open_models()[name].holds_tools == holds(family)


def test_a_model_whose_template_is_not_here_is_not_said_to() -> None:
    rest = open_models().keys() - FAMILY_OF.keys()
    assert not [name for name in rest if open_models()[name].holds_tools]
