"""Text that speaks to the model or to the reader's purse, as planted orders do.

A list of phrasings, so a first look only: whoever words an order otherwise is not found, and data about
attacks is full of such text. That is why it ranks low, and higher where it recurs."""

import re

_ORDERS = re.compile(
    r"\b(?:ignore|disregard|forget|override)\b[^.\n]{0,30}\b(?:previous|prior|above|earlier|preceding|all)\b"
    r"[^.\n]{0,20}\b(?:instructions?|rules?|prompts?|directions?|guidelines?)\b"
    r"|\b(?:do not|don't|never)\b (?:tell|mention|reveal|show|inform)\b[^.\n]{0,20}\b(?:user|human|anyone)\b"
    r"|\b(?:reveal|print|repeat|show|send|leak)\b[^.\n]{0,20}\b(?:system prompt|hidden prompt|api key|"
    r"private key|seed phrase|password)\b"
    r"|\b(?:send|transfer|wire|deposit|pay)\b[^.\n]{0,25}\b(?:funds|money|eth|btc|usdt|usdc|tokens?|"
    r"bitcoins?|payments?)\b[^.\n]{0,25}\bto\b[^.\n]{0,15}(?:0x[0-9a-f]{40}|bc1\w+|this (?:address|wallet))"
    r"|\byou are now\b[^.\n]{0,40}\b(?:mode|unrestricted|jailbroken|dan)\b",
    re.I,
)  # fmt: skip


def is_instruction(text: str) -> bool:
    """Whether the text holds one of the known phrasings of a planted order."""
    return _ORDERS.search(text) is not None


def instruction_in(text: str) -> str:
    """The first such phrasing, or nothing."""
    match = _ORDERS.search(text)
    return match[0] if match else ""
