"""The words that a decision is made in: what is weighed, by whom, and between which methods."""

from typing import Literal

Criterion = Literal[
    "quality",
    "once_usd",
    "month_usd",
    "latency",
    "update_delay",
    "data_effort",
    "privacy",
    "customisation",
    "independence",
    "reversibility",
]
Profile = Literal["startup", "support-bot", "regulated", "edge"]
Method = Literal["prompt", "prompt+long-context", "rag", "ft", "rag+ft", "classifier", "rule"]
"""`classifier`: an embedding and a linear head; `rule`: a pattern, a table or a list of words."""
