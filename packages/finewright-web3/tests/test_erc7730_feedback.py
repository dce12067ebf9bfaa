"""Pairs of a right and a malformed answer: each mistake is one, and the schema tells them apart."""

import json
from collections import Counter
from contextlib import suppress
from random import Random

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from finewright.data.gather import read_row_set
from finewright.data.validate import validate
from finewright.rows.read import ReadRow, read_rows
from finewright_web3.erc7730 import SYSTEM, Erc7730Set
from finewright_web3.erc7730_feedback import (
    _MISTAKES,
    Feedback,
    FeedbackSettings,
    build_feedback,
    schema_of,
)

TEXT = '{"intent":"Pay","fields":{"To":"0x1","Amount":"5 ETH"}}'


def row(intent: str, fields: dict[str, str], kind: str = "seen") -> dict:
    answer = json.dumps({"intent": intent, "fields": fields}, separators=(",", ":"))
    turns = {"system": SYSTEM, "user": f"Function: {intent}", "assistant": answer}
    return {
        "messages": [{"role": role, "content": content} for role, content in turns.items()],
        "meta": {"function": intent, "kind": kind},
    }


def feedback(num_train: int, num_test: int = 1, seed: int = 0) -> Feedback:
    train = [row(f"Pay {i}", {"To": f"0x{i}", "Amount": "5 ETH"}) for i in range(num_train)]
    seen, unseen, far = (
        [row(f"{kind} {i}", {"To": f"0x{i}"}, kind) for i in range(num_test)]
        for kind in ("seen", "unseen_function", "unseen_protocol")
    )
    built = Erc7730Set(tuple(train), tuple(seen), tuple(unseen), tuple(far))
    return build_feedback(built, FeedbackSettings(seed=seed))


def is_right(text: str, num_fields: int, tmp_path) -> bool:
    """By our own reader, by the schema, and without a key twice, which the reader takes with a warning."""
    with suppress(ValueError):
        keys: list[list[str]] = []
        json.loads(text, object_pairs_hook=lambda pairs: keys.append([key for key, _ in pairs]))
        if any(len(set(each)) < len(each) for each in keys):
            return False
    path = tmp_path / "answer.jsonl"
    path.write_text(text.replace("\n", " ") + "\n")
    read = read_rows(path)
    validator = jsonschema.Draft202012Validator(schema_of(num_fields))
    return not read.problems and validator.is_valid(read.rows[0].data)


@pytest.mark.parametrize(
    ("kind", "malformed"),
    [
        ("missing brace", {TEXT[:-1]}),
        ("comma too many", {TEXT[:-2] + ",}}", TEXT[:-1] + ",}"}),
        ("comma too few", {TEXT.replace('","', '""', 1), TEXT.replace('1","', '1""')}),
        ("single quotes", {"{'intent': 'Pay', 'fields': {'To': '0x1', 'Amount': '5 ETH'}}"}),
        ("code fence", {f"```json\n{TEXT}\n```"}),
        ("repeated key", {TEXT[:-2] + ',"To":"0x1"}}', TEXT[:-2] + ',"Amount":"5 ETH"}}'}),
        (
            "list of fields",
            {
                '{"intent":"Pay","fields":[{"label":"To","value":"0x1"},'
                '{"label":"Amount","value":"5 ETH"}]}'
            },
        ),
        ("unquoted keys", {'{intent:"Pay",fields:{"To":"0x1","Amount":"5 ETH"}}'}),
    ],
)
def test_each_kind_of_mistake_is_this(kind, malformed):
    assert {_MISTAKES[kind](TEXT, Random(seed)) for seed in range(20)} == malformed  # noqa: S311


WORDS = st.text(st.characters(categories=["L", "N"], include_characters="' \",{}"), min_size=1)


@pytest.mark.parametrize("kind", _MISTAKES)
@given(
    intent=WORDS,
    fields=st.dictionaries(WORDS, WORDS, min_size=1, max_size=5),
    seed=st.integers(0, 99),
)
def test_a_malformed_answer_is_never_a_right_one(tmp_path_factory, kind, intent, fields, seed):
    text = row(intent, fields)["messages"][2]["content"]
    folder = tmp_path_factory.getbasetemp()
    assert is_right(text, len(fields), folder)
    assert not is_right(_MISTAKES[kind](text, Random(seed)), len(fields), folder)  # noqa: S311


def test_every_row_becomes_a_pair_and_a_prompt():
    made = feedback(22, 2)
    assert [len(rows) for rows in made] == [22, 6, 22, 6]
    assert set(Counter(pair["meta"]["fault"] for pair in made.preference_train).values()) == {2}
    pair, prompt = made.preference_train[0], made.prompts_train[0]
    system, asked, answer = row("Pay 0", {"To": "0x0", "Amount": "5 ETH"})["messages"]
    assert pair == {
        "prompt": [system, asked],
        "chosen": [answer],
        "rejected": [answer | {"content": answer["content"][:-1]}],
        "meta": {"function": "Pay 0", "kind": "seen", "fault": "missing brace"},
    }
    assert prompt == {
        "prompt": [system, asked],
        "answer": answer["content"],
        "schema": schema_of(2),
        "meta": {"function": "Pay 0", "kind": "seen"},
    }
    assert [r["meta"]["kind"] for r in made.prompts_test] == [
        kind for kind in ("seen", "unseen_function", "unseen_protocol") for _ in range(2)
    ]


def test_the_same_rows_and_seed_make_the_same_mistakes():
    assert feedback(22) == feedback(22)
    assert feedback(22) != feedback(22, seed=1)


def test_the_rows_pass_the_data_door(tmp_path):
    made = feedback(12, 4)
    for rows, shape in ((made.preference_train, "preference"), (made.prompts_train, "prompt_only")):
        found = validate([ReadRow("f", i, row) for i, row in enumerate(rows)], "auto")
        assert (found.types, found.problems) == ({shape: 12}, ())
    path = tmp_path / "prompts_test.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in made.prompts_test))
    measured = read_row_set(path)
    assert (len(measured.rows), measured.problems) == (12, ())
    assert measured.rows[0].messages[-1]["content"] == made.prompts_test[0]["answer"]
