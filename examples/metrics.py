"""A metric of one's own, for examples/own-metric.yaml.

It runs only where that file names its sha256 as consent, and after `finewright trust add` of it.
"""

import json
from typing import Any


def right_fields(answer: str, row: dict[str, Any]) -> float:
    """The share of the expected JSON's fields that the answer has with the same value, less one field for
    each that nobody asked for. An answer that is no JSON object has none."""
    expected = json.loads(row["answer"])
    try:
        said = json.loads(answer)
        right = sum(said[key] == value for key, value in expected.items() if key in said)
        invented = len(said.keys() - expected.keys())
    except (ValueError, TypeError, AttributeError):
        return 0.0
    return float(max(0.0, (right - invented) / len(expected)))
