"""Rows of every format with parts changed, left out or put in: kept, or counted and named; never a crash."""

import copy
import json
import random
from collections.abc import Iterator

import pytest

from finewright.schema.rows import parse_rows, write_rows

from .door import Q2, TOOL, A, B, Q, S, door

H, G = {"from": "human", "value": "Q"}, {"from": "gpt", "value": "A"}
CALLS = {"from": "function_call", "value": '{"name": "f", "arguments": {}}'}
RETURNS = {"from": "observation", "value": "1"}
CALL = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
U, M = ({"role": r, "parts": [{"text": t}]} for r, t in (("user", "Q"), ("model", "A")))
USES = {"role": "model", "parts": [{"functionCall": {"name": "f", "args": {}}}]}
USED = {"role": "user", "parts": [{"functionResponse": {"name": "f", "response": {}}}]}
SPAN = {"begin_offset": 0, "end_offset": 0, "train": False}
LEAVES = [{"text": t, "role": "assistant", "rank": i} for i, t in enumerate("AB")]
TREE = {"text": "Q", "role": "prompter", "replies": LEAVES}
WHOLE = [
    {
        "messages": [
            S,
            Q,
            {"role": "assistant", "tool_calls": [CALL]},
            {"role": "tool_response", "name": "f", "content": "x"},
            A | {"train_detail": [SPAN]},
            Q2,
            A | {"loss": True},
        ],
        "tools": [TOOL],
        "system": "S",
    },
    {
        "messages": [Q, {"role": "assistant", "function_call": CALL["function"]}, A],
        "functions": [{"name": "f"}],
    },
    {
        "input": {"messages": [Q], "tools": [TOOL]},
        "preferred_output": [A],
        "non_preferred_output": [B],
    },
    {"instruction": "Q", "input": "I", "output": "A", "history": [["a", "b"]], "kto_tag": True},
    {"instruction": "Q", "input": "I", "chosen": "A", "rejected": "B"},
    {"conversations": [H, CALLS, RETURNS, G], "tools": "[]", "system": "S"},
    {"conversations": [H], "chosen": G, "rejected": RETURNS},
    {"conversation": [{"human": "Q", "assistant": "A"}]},
    {"query": "Q", "response": "A", "history": [["a", "b"]], "rejected_response": "B"},
    {"messages": [Q, A], "rejected_response": [B]},
    {"messages": [Q, A], "rejected_messages": [Q, B]},
    {"question": "Q", "chosen": "A", "rejected": "B", "system": "S"},
    {"messages": [Q], "chosen": A, "rejected": B},
    {"segments": [{"label": False, "text": "Q"}, {"label": True, "text": "A"}]},
    {"contents": [U, USES, USED, M], "systemInstruction": {"parts": [{"text": "S"}]}},
    {
        "contents": [U],
        "completions": [{"score": 1, "completion": M}, {"score": 0, "completion": U}],
    },
    {"prompt": TREE},
    TREE,
    {"prompt": "Q", "answers": [{"answer": "A", "rank": 1}, {"answer": "B", "rank": 2}]},
    {"chosen": "\n\nHuman: Q\n\nAssistant: A", "rejected": "\n\nHuman: Q\n\nAssistant: B"},
    {"prompt": "\n\nHuman: Q\n\nAssistant:", "completion": "A", "label": True},
    {"prompt": "Q", "completions": ["a", "b"], "labels": [True, False]},
    {"prompt": [S, Q], "completion": [A], "label": True, "system": "T"},
    {"prompt": [H], "completion": [G]},
]
VALUES = [
    *(
        None,
        True,
        False,
        0,
        1,
        -1,
        0.5,
        10**30,
        "",
        "x",
        "{}",
        "[]",
        '{"name": 3}',
        "user",
        "Human:",
    ),
    *(
        [],
        [[]],
        {},
        [None],
        [{}],
        {"role": "assistant"},
        {"name": "f"},
        ["a", "b"],
        {"from": "gpt"},
    ),
]
KEYS = (
    *("prompt", "completion", "chosen", "rejected", "label", "messages", "weight", "train", "loss"),
    *("tools", "system", "tool_calls", "name", "tool_call_id", "role", "kto_tag", "images"),
)
TYPES = [
    "auto",
    "messages",
    "prompt_completion",
    "preference",
    "unpaired_preference",
    "prompt_only",
]


def paths(value: object, here: tuple = ()) -> Iterator[tuple]:
    yield here
    inner = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value if isinstance(value, list) else ())
    )
    for key, item in inner:
        yield from paths(item, (*here, key))


def mutate(row: dict, rng: random.Random) -> None:
    path = rng.choice([path for path in paths(row) if path])
    inside = row
    for key in path[:-1]:
        inside = inside[key]
    value = copy.deepcopy(rng.choice(VALUES))
    chance = rng.random()
    if chance < 0.6:
        inside[path[-1]] = value
    elif chance < 0.8:
        del inside[path[-1]]
    elif isinstance(inside, list):
        inside.insert(rng.randrange(len(inside) + 1), value)
    else:
        inside[rng.choice(KEYS)] = value


@pytest.mark.parametrize("seed", range(4))
def test_any_row_is_kept_or_counted_and_named_and_stays_as_it_was(seed):
    rng = random.Random(seed)  # noqa: S311 - nothing is kept secret with it
    for _ in range(1000):
        row = copy.deepcopy(rng.choice(WHOLE))
        for _ in range(rng.randint(1, 3)):
            if row:
                mutate(row, rng)
        before = json.dumps(row)
        found = door(row, type=rng.choice(TYPES))
        counts = found.counts
        assert counts.rows_in == counts.rows_kept + sum(counts.rows_dropped.values()) >= 1
        assert found.rows or found.problems
        assert json.dumps(row) == before
        assert parse_rows(write_rows(found.rows)) == list(found.rows)
        for made in found.rows:
            for message in (*made.messages, *(made.rejected or ())):
                assert message["role"] in ("system", "user", "assistant", "tool")
                assert isinstance(message["content"], str)
