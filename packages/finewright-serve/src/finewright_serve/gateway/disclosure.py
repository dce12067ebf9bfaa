"""Answers say that a machine made them (EU AI Act, Article 50), and what steps decided: in a header, which
programs read without the body, and in the metadata of the body."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import Any

from finewright_serve.gateway.connected import Event

Json = dict[str, Any]  # Any: JSON


def disclosing_headers(model: str) -> dict[str, str]:
    """`AI-Disclosure` as the draft has it: https://datatracker.ietf.org/doc/draft-abaris-aicdh/."""
    plain = "".join(c if c.isascii() and c.isprintable() and c not in '"\\' else "_" for c in model)
    return {"ai-disclosure": f'mode=machine-generated, model="{plain}"'}


def add_metadata(body: Json, metadata: Mapping[str, Any]) -> Json:
    """A response with its metadata, beside what its client gave it of its own."""
    return {**body, "metadata": {**(body.get("metadata") or {}), **metadata}} if metadata else body


async def with_metadata(
    events: AsyncGenerator[Event, None], metadata: Mapping[str, Any]
) -> AsyncGenerator[Event, None]:
    """The events, the one that ends an answer with the metadata as they are then."""
    async with aclosing(events):
        async for name, data in events:
            yield name, data if isinstance(data, str) else _ended(data, metadata)


def _ended(data: Json, metadata: Mapping[str, Any]) -> Json:
    response = data.get("response")
    if isinstance(response, dict) and response.get("status") != "in_progress":
        return {**data, "response": add_metadata(response, metadata)}
    choices = data.get("choices") or ()
    is_end = any(each.get("finish_reason") for each in choices)
    return add_metadata(data, metadata) if is_end else data
