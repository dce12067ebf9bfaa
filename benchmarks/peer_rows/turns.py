"""A message of a peer's as what is compared. Nothing but the standard library: peers' own Pythons read it."""

import json
from typing import Any


def turns_of(message: dict[str, Any]) -> list[tuple[str, str]]:
    """Its calls, one by one, or who says what."""
    calls = [call["function"] for call in message.get("tool_calls") or ()]
    if calls:
        return [
            ("call", json.dumps({"name": c["name"], "arguments": c["arguments"]}, sort_keys=True))
            for c in calls
        ]
    return [(message["role"], message["content"])]
