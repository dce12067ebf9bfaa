"""The transaction analyst's feedback rows: pairs of a right and a malformed answer, and prompts.

They are made from the rows of `erc7730.build`. Rejected answers say the right thing in a form that a
strict reader of JSON refuses, or that is not the one asked for; each has one mistake, made by a seed."""

import json
from collections.abc import Callable, Mapping
from random import Random
from typing import Any, NamedTuple

from finewright.sdk import JsonRow, Model, default
from finewright_web3.erc7730 import Erc7730Set
from finewright_web3.values import one_of

Analysis = dict[str, Any]  # Any: the JSON of an answer

_INTRODUCTIONS = (
    "Here is the explanation:\n",
    "Sure! This transaction does the following: ",
    "The answer is\n\n",
)
_AFTERWORDS = ("\n\nLet me know if you need more.", "\nPlease check the amounts.", " // as decoded")
_OTHER_KEYS = {
    "intent": ("action", "Intent", "summary"),
    "fields": ("details", "arguments", "data"),
}


class FeedbackSettings(Model):
    """How the rows of the set become pairs and prompts: one of each from every row."""

    seed: int = default(0, "Seed of the mistakes", "any fixed number repeats the set")


class Feedback(NamedTuple):
    """The rows of each file; the test rows are of all three kinds of functions."""

    preference_train: tuple[JsonRow, ...]
    preference_test: tuple[JsonRow, ...]
    prompts_train: tuple[JsonRow, ...]
    prompts_test: tuple[JsonRow, ...]


def build_feedback(built: Erc7730Set, settings: FeedbackSettings) -> Feedback:
    """A pair and a prompt of each row; every kind of mistake is made about as often."""
    tests = (*built.test_seen, *built.test_unseen, *built.test_unseen_protocols)
    train_pairs, test_pairs = (
        tuple(_pair(row, number, settings) for number, row in enumerate(rows))
        for rows in (built.train, tests)
    )
    return Feedback(
        train_pairs,
        test_pairs,
        tuple(_prompt(row) for row in built.train),
        tuple(_prompt(row) for row in tests),
    )


def schema_of(num_fields: int) -> Analysis:
    """What an answer about a call of that many arguments must be, as a JSON Schema."""
    return {
        "type": "object",
        "properties": {
            "intent": {"type": "string", "minLength": 1},
            "fields": {
                "type": "object",
                "additionalProperties": {"type": "string"},
                "minProperties": num_fields,
                "maxProperties": num_fields,
            },
        },
        "required": ["intent", "fields"],
        "additionalProperties": False,
    }


def _prompt(row: JsonRow) -> JsonRow:
    *prompt, answer = row["messages"]
    num_fields = len(json.loads(answer["content"])["fields"])
    return {
        "prompt": prompt,
        "answer": answer["content"],
        "schema": schema_of(num_fields),
        "meta": row["meta"],
    }


def _pair(row: JsonRow, number: int, settings: FeedbackSettings) -> JsonRow:
    *prompt, answer = row["messages"]
    kind = list(_MISTAKES)[number % len(_MISTAKES)]
    rng = Random(f"{settings.seed}|{answer['content']}")  # noqa: S311 - a mistake, no secret
    malformed = _MISTAKES[kind](answer["content"], rng)
    return {
        "prompt": prompt,
        "chosen": [answer],
        "rejected": [{**answer, "content": malformed}],
        "meta": {**row["meta"], "fault": kind},
    }


def _write(analysis: Analysis) -> str:
    return json.dumps(analysis, ensure_ascii=False, separators=(",", ":"))


def _comma_too_many(text: str, rng: Random) -> str:
    return one_of(rng, (f"{text[:-2]},}}}}", f"{text[:-1]},}}"))


def _comma_too_few(text: str, rng: Random) -> str:
    at = one_of(rng, [i for i in range(len(text)) if text.startswith('","', i)])
    return text[: at + 1] + text[at + 2 :]


def _repeat_key(text: str, rng: Random) -> str:
    fields = json.loads(text)["fields"]
    label = one_of(rng, list(fields))
    again = _write({label: fields[label]})[1:-1]
    return f"{text[:-2]},{again}}}}}"


def _other_key(text: str, rng: Random) -> str:
    key = one_of(rng, list(_OTHER_KEYS))
    other = one_of(rng, _OTHER_KEYS[key])
    return _write({other if k == key else k: value for k, value in json.loads(text).items()})


def _list_of_fields(text: str, rng: Random) -> str:
    analysis = json.loads(text)
    pairs = [{"label": label, "value": value} for label, value in analysis["fields"].items()]
    return _write({**analysis, "fields": pairs})


def _unquote_keys(text: str, rng: Random) -> str:
    return text.replace('{"intent":', "{intent:", 1).replace(',"fields":', ",fields:", 1)


def _prose(text: str, rng: Random) -> str:
    return one_of(rng, (one_of(rng, _INTRODUCTIONS) + text, text + one_of(rng, _AFTERWORDS)))


_MISTAKES: Mapping[str, Callable[[str, Random], str]] = {
    "missing brace": lambda text, rng: text[:-1],
    "comma too many": _comma_too_many,
    "comma too few": _comma_too_few,
    "single quotes": lambda text, rng: repr(json.loads(text)),
    "prose around it": _prose,
    "code fence": lambda text, rng: f"```json\n{text}\n```",
    "repeated key": _repeat_key,
    "other key": _other_key,
    "list of fields": _list_of_fields,
    "unquoted keys": _unquote_keys,
    "cut off": lambda text, rng: text[: one_of(rng, range(len(text) // 2, len(text) - 1))],
}
