"""A held-out row that is a training row with other values is found; one of another kind, or that asks for
another fact, is not."""

import json

import pytest

from finewright.data.contamination import contamination
from finewright.data.templates import of_known_templates
from finewright.schema.rows import Row
from guard.duplicates.made import chat


def call(function: str, chain: str, amount: str, address: str, label: str = "Amount") -> Row:
    asked = (
        f"Protocol: Aave\nChain: {chain}\nFunction: {function}\namount = {amount}\nto = {address}"
    )
    fields = {label: amount, "Beneficiary": address}
    answer = json.dumps({"intent": "Supply", "fields": fields}, separators=(",", ":"))
    return chat(asked, answer)


TRAIN = [
    call("deposit", "Ethereum", "12.50 USDC", "0x85c5..2709"),
    chat("What is the annual fee of the Gold card?", "$25.00"),
    chat("How do I activate my card?", "activate_my_card"),
    chat("What is 12 plus 30?", "42"),
    chat("Pay 20 EUR to Ann Lee", "Shall I send 20 EUR to Ann now?"),
]


@pytest.mark.parametrize(
    "row",
    [
        call("deposit", "Ethereum", "9506 stETH", "0xd4ab..dace"),
        call("deposit", "BNB Chain", "41 LINK", "0x1b2c..11aa"),
        chat("Pay 7.5 USD to Bob Ray", "Shall I send 7.5 USD to Bob now?"),
    ],
    ids=["amount and address", "chain", "sentence"],
)
def test_the_same_words_with_other_values_repeat(row: Row) -> None:
    assert list(of_known_templates(TRAIN, [row])) == [0]


@pytest.mark.parametrize(
    "row",
    [
        call("withdraw", "Ethereum", "9506 stETH", "0xd4ab..dace"),
        call("deposit", "Ethereum", "9506 stETH", "0xd4ab..dace", label="Sum"),
        chat("What is the annual fee of the Gold card?", "$75.00"),
        chat("What is the annual fee of the Blue card?", "$25.00"),
        chat("How do I activate my phone?", "activate_my_card"),
        chat("What is 11 plus 30?", "41"),
    ],
    ids=["function", "label", "a figure that is knowledge", "short answer", "words", "computed"],
)
def test_other_words_or_another_fact_is_another_row(row: Row) -> None:
    assert of_known_templates(TRAIN, [row]) == {}


def with_call(arguments: object, tool: str = "transfer") -> Row:
    function = {"name": "transfer", "arguments": arguments}
    turns = (
        {"role": "user", "content": "Send 20 coins to acc77"},
        {"role": "assistant", "content": None, "tool_calls": [{"function": function}]},
    )
    tools = ({"type": "function", "function": {"name": tool}},)
    return Row(id="", messages=turns, tools=tools, file="f.jsonl", row=1)


def test_calls_have_templates_by_their_keys_and_tools() -> None:
    train = [with_call('{"amount": 20, "to": "acc77"}')]
    held_out = [
        with_call({"amount": 20.0, "to": "acc77"}),
        with_call({"amount": 20, "from": "acc77"}),
        with_call({"amount": 20, "to": "acc77"}, tool="pay"),
    ]
    assert of_known_templates(train, held_out) == {0: 0}


def test_contamination_counts_templates_and_says_what_they_measure() -> None:
    held_out = [call("deposit", "Celo", "3 DAI", "0x11"), call("borrow", "Celo", "3 DAI", "0x11")]
    report, problems = contamination(TRAIN, "test", held_out)
    assert report.found == {"template": 1}
    assert report.repeated == (0,)
    (problem,) = problems
    assert problem.message.startswith("1 of 2 rows of test are a training row with other values")
    assert "by heart" in problem.hint
