"""A reward of one's own, for examples/grpo.yaml and examples/ppo.yaml.

It runs only because those files name its sha256 as consent; `finewright check` shows the new one
after a change.
"""


def towards_json(answer: str, row: dict) -> float:
    """How much an answer looks like the JSON that was asked for, in quarters.

    Whole JSON is too rare at first to learn from, so its parts count: an opening brace, the key
    "intent", what the call is about, and a closing brace."""
    text = answer.strip()
    names = (row["meta"]["function"], row["meta"]["protocol"])
    parts = (
        text.startswith("{"),
        '"intent"' in text,
        any(name in text for name in names),
        text.startswith("{") and text.endswith("}"),
    )
    return sum(parts) / len(parts)
