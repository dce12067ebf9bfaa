"""The transaction analyst: what is kept of the registry, and that tests hold nothing trained on."""

import json
from collections import Counter

import pytest

from finewright.errors import DataError
from finewright_web3.erc7730 import (
    Argument,
    ContractFunction,
    Erc7730Settings,
    build,
    choose,
    house_style,
    parse_registry,
)
from registry import CHAINS, descriptor, embedded, field, many

SEND = {"intent": "Send Tokens", "fields": [field("to", "Recipient", "addressName")]}
SETTINGS = Erc7730Settings(
    functions_seen=12, functions_unseen=4, functions_of_unseen_protocols=4, intent_share=0.5
)
PROTOCOLS = [many("Alpha", 12), many("Beta", 8), many("Gamma", 4), many("Delta", 3), many("Eps", 2)]


def functions(*descriptors):
    return parse_registry(embedded(*descriptors), CHAINS).functions


def test_a_function_is_read_with_its_words_in_house_style():
    assert functions(descriptor("Acme", {"send(address to)": SEND})) == (
        ContractFunction(
            protocol="Acme",
            chains=(CHAINS[1],),
            name="send",
            intent="Send tokens",
            arguments=(Argument("to", "Recipient", "addressName"),),
            signature="send(address to)",
            contracts=("1:0x1",),
        ),
    )


def test_a_definition_fills_what_the_field_leaves_open():
    source = descriptor(
        "Acme", {"pay()": {"intent": "Pay", "fields": [{"path": "x", "$ref": "$.display.d.fee"}]}}
    )
    source["display"]["definitions"] = {
        "fee": {"label": "The Fee", "format": "unit", "params": {"base": "%"}}
    }
    assert functions(source)[0].arguments == (Argument("x", "The fee", "unit", "%"),)


def test_nested_fields_and_paths_are_named_as_a_decoder_prints_them():
    fields = [
        {"path": "#.order", "fields": [field("items.[]", "Items"), field("to.[-20:]", "To")]},
        field("@.value", "Paid", "amount"),
    ]
    found = functions(descriptor("Acme", {"buy(uint256)": {"intent": "Buy", "fields": fields}}))
    assert [a.name for a in found[0].arguments] == ["order.items", "order.to", "tx.value"]


def test_a_selector_takes_its_name_from_the_id():
    found = functions(descriptor("Acme", {"0x12345678": SEND | {"$id": "sendAll(address)"}}))
    assert [f.name for f in found] == ["sendAll"]


def test_at_most_five_fields_are_kept():
    fields = [field(f"a{i}", f"Label {i}") for i in range(9)]
    found = functions(descriptor("Acme", {"f()": {"intent": "Do", "fields": fields}}))
    assert [a.name for a in found[0].arguments] == ["a0", "a1", "a2", "a3", "a4"]


@pytest.mark.parametrize(
    ("owner", "signature", "layout", "reason"),
    [
        (None, "f()", SEND, "no protocol"),
        ("Acme", "0x12345678", SEND, "no function name"),
        ("Acme", "f()", SEND | {"intent": {"a": "b"}}, "no intent"),
        ("Acme", "f()", SEND | {"intent": " ".join("abcdefghi")}, "an intent of more than 8 words"),
        ("Acme", "f()", SEND | {"fields": []}, "no labelled field"),
        ("Acme", "f()", SEND | {"fields": [{"path": "a"}]}, "no labelled field"),
        (
            "Acme",
            "f()",
            SEND | {"fields": [field("a", "Same Label"), field("b", "same label")]},
            "fields with the same label or argument",
        ),
        (
            "Acme",
            "f()",
            SEND | {"fields": [field("a.[0]", "One"), field("a.[1]", "Two")]},
            "fields with the same label or argument",
        ),
        ("Acme", "Order", SEND, "a typed message, not a call"),
    ],
)
def test_what_is_of_no_use_is_dropped_and_counted_by_reason(owner, signature, layout, reason):
    found = parse_registry(embedded(descriptor(owner, {signature: layout})), CHAINS)
    assert found.functions == ()
    assert found.dropped == {reason: 1}


def test_a_contract_on_no_known_chain_is_dropped():
    found = parse_registry(embedded(descriptor("Acme", {"f()": SEND}, chain_id=999)), CHAINS)
    assert found.dropped == {"on no chain of the catalog": 1}


def test_a_second_version_of_a_function_is_dropped():
    versions = [descriptor("Acme", {"f()": SEND}), descriptor("Acme", {"F(uint256 x)": SEND})]
    found = parse_registry(embedded(*versions), CHAINS)
    assert [f.name for f in found.functions] == ["f"]
    assert found.dropped == {"another version of a function": 1}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("export const OTHER = {};", "is missing"),
        ("export const EMBEDDED_REGISTRY = {a: 1};", "is not the JSON"),
        ("export const EMBEDDED_REGISTRY = [];", "is not the JSON"),
        ('export const EMBEDDED_REGISTRY = {"descriptors": 1};', "is not the JSON"),
    ],
)
def test_another_file_is_refused(text, said):
    with pytest.raises(DataError, match=said):
        parse_registry(text, CHAINS)


@pytest.mark.parametrize(
    ("written", "styled"),
    [
        ("Amount to Send", "Amount to send"),
        ("amount_to_send", "Amount to send"),
        ("stETH Amount", "stETH amount"),
        ("Borrow from Acme Market", "Borrow from Acme market"),
        ("Swap V3 NFT", "Swap V3 NFT"),
        ("  ", ""),
    ],
)
def test_labels_get_one_style_of_case(written, styled):
    assert house_style(written, brand="Acme") == styled


def test_the_smallest_protocols_are_held_out_whole():
    chosen = choose(functions(*PROTOCOLS), SETTINGS)
    assert {f.protocol for f in chosen.unseen_protocols} == {"Delta", "Eps"}
    assert {f.protocol for f in chosen.seen} == {"Alpha", "Beta", "Gamma"}
    assert {f.protocol for f in chosen.unseen_functions} <= {"Alpha", "Beta", "Gamma"}
    assert [len(group) for group in chosen] == [12, 4, 4]


def test_protocols_take_turns_in_training():
    chosen = choose(functions(*PROTOCOLS), SETTINGS)
    counts = Counter(f.protocol for f in chosen.seen)
    assert counts == {"Alpha": 5, "Beta": 4, "Gamma": 3}


def test_every_fourth_function_of_a_trained_protocol_stays_out():
    chosen = choose(functions(*PROTOCOLS), SETTINGS)
    assert not {f.name for f in chosen.seen} & {"alpha3", "alpha7", "beta3", "beta7", "gamma3"}


def test_protocols_of_one_brand_are_seen_or_unseen_together():
    brands = [many("Acme", 3), many("Acme Bridge", 1), many("Alpha", 9), many("Beta", 8)]
    chosen = choose(functions(*brands), SETTINGS)
    assert {f.protocol for f in chosen.unseen_protocols} == {"Acme", "Acme Bridge"}


def test_a_name_that_is_trained_is_never_unseen():
    twin = descriptor("Zeta", {"ALPHA0(address to)": SEND, "other(address to)": SEND})
    chosen = choose(functions(*PROTOCOLS, twin), SETTINGS)
    seen = {f.name.casefold() for f in chosen.seen}
    unseen = {f.name.casefold() for f in (*chosen.unseen_functions, *chosen.unseen_protocols)}
    assert "alpha0" in seen
    assert not seen & unseen


def test_one_intent_is_kept_to_its_share():
    settings = Erc7730Settings(
        functions_seen=10, functions_unseen=0, functions_of_unseen_protocols=0, intent_share=0.2
    )
    chosen = choose(functions(many("Alpha", 20, "Swap"), many("Beta", 20)), settings)
    assert Counter(f.intent for f in chosen.seen)["Swap"] == 2


def test_a_registry_of_one_protocol_trains_without_unseen_protocols():
    chosen = choose(functions(many("Alpha", 12)), SETTINGS)
    assert [len(group) for group in chosen] == [9, 3, 0]


def test_no_protocols_are_held_out_when_nothing_unseen_is_wanted():
    none = Erc7730Settings(functions_seen=9, functions_unseen=0, functions_of_unseen_protocols=0)
    chosen = choose(functions(*PROTOCOLS), none)
    assert [len(group) for group in chosen] == [9, 0, 0]


def test_the_answer_holds_the_values_of_the_call_under_their_labels():
    fields = [field("to", "Recipient", "addressName"), field("a", "Sum", "amount")]
    found = functions(descriptor("Acme", {"pay()": {"intent": "Pay", "fields": fields}}, 137))
    row = build(found, Erc7730Settings(variants_train=1)).train[0]
    system, user, assistant = row["messages"]
    answer = json.loads(assistant["content"])
    assert [m["role"] for m in row["messages"]] == ["system", "user", "assistant"]
    assert user["content"].split("\n") == [
        "Protocol: Acme",
        "Chain: Polygon",
        "Function: pay",
        f"to = {answer['fields']['Recipient']}",
        f"a = {answer['fields']['Sum']}",
    ]
    assert answer["intent"] == "Pay"
    assert answer["fields"]["Sum"].endswith(" POL")
    assert assistant["content"] == json.dumps(answer, separators=(",", ":"))
    assert row["meta"] == {"protocol": "Acme", "function": "pay", "kind": "seen"}
    assert "JSON" in system["content"]


def test_the_splits_share_no_call_and_no_unseen_name():
    built = build(functions(*PROTOCOLS), SETTINGS)
    assert [len(rows) for rows in built] == [60, 12, 4, 4]
    asked = [row["messages"][1]["content"] for rows in built for row in rows]
    assert len(set(asked)) == len(asked)
    trained = {row["meta"]["function"].casefold() for row in built.train}
    assert trained == {row["meta"]["function"].casefold() for row in built.test_seen}
    unseen = (*built.test_unseen, *built.test_unseen_protocols)
    assert not trained & {row["meta"]["function"].casefold() for row in unseen}


def test_no_test_value_is_trained_for_the_same_function():
    built = build(functions(*PROTOCOLS), SETTINGS)

    def values(rows):
        return {
            (
                row["meta"]["function"],
                json.loads(row["messages"][2]["content"])["fields"]["Recipient"],
            )
            for row in rows
        }

    assert not values(built.train) & values(built.test_seen)


def test_the_kind_of_each_unseen_row_is_told():
    built = build(functions(*PROTOCOLS), SETTINGS)
    trained = {row["meta"]["protocol"] for row in built.train}
    assert {row["meta"]["kind"] for row in built.test_unseen} == {"unseen_function"}
    assert {row["meta"]["protocol"] for row in built.test_unseen} <= trained
    assert {row["meta"]["kind"] for row in built.test_unseen_protocols} == {"unseen_protocol"}
    assert not {row["meta"]["protocol"] for row in built.test_unseen_protocols} & trained


def test_a_function_of_few_values_is_tested_first_and_never_repeated():
    fields = [field("approved", "Approved")]
    found = functions(
        descriptor("Acme", {"set(bool approved)": {"intent": "Set", "fields": fields}})
    )
    built = build(found, Erc7730Settings())
    answers = [row["messages"][2]["content"] for row in (*built.test_seen, *built.train)]
    assert sorted(answers) == [
        '{"intent":"Set","fields":{"Approved":"false"}}',
        '{"intent":"Set","fields":{"Approved":"true"}}',
    ]


def test_the_same_settings_build_the_same_rows():
    found = functions(*PROTOCOLS)
    assert build(found, SETTINGS) == build(found, SETTINGS)
    assert build(found, SETTINGS) != build(found, SETTINGS.model_copy(update={"seed": 1}))
