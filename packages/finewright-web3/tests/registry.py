"""A hand-made registry in the form of the package's embedded.js."""

import json
from typing import Any

from finewright_web3.values import Chain

CHAINS = {1: Chain(name="Ethereum", native="ETH"), 137: Chain(name="Polygon", native="POL")}


def field(path: str, label: str, display: str = "raw", **more: Any) -> dict[str, Any]:
    return {"path": path, "label": label, "format": display, **more}


def descriptor(owner: str | None, formats: dict[str, Any], chain_id: int = 1) -> dict[str, Any]:
    return {
        "metadata": {"owner": owner},
        "context": {"contract": {"deployments": [{"chainId": chain_id, "address": "0x1"}]}},
        "display": {"formats": formats},
    }


def embedded(*descriptors: dict[str, Any]) -> str:
    data = {"descriptors": {f"d{i}": d for i, d in enumerate(descriptors)}}
    return f"/** made by hand */\nexport const EMBEDDED_REGISTRY = {json.dumps(data)};\nexport default 1;"


def many(owner: str, count: int, intent: str = "Do {i}") -> dict[str, Any]:
    """A protocol with `count` functions of one address argument each."""
    formats = {
        f"{owner.lower()}{i}(address to)": {
            "intent": intent.format(i=i),
            "fields": [field("to", "Recipient", "addressName")],
        }
        for i in range(count)
    }
    return descriptor(owner, formats)
