"""Rows are told of, changed or left out, and no report holds a value."""

import json
from dataclasses import replace
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.guard.privacy.rows import row_of
from tests.guard.privacy.test_find import TEXTS
from tests.guard.privacy.test_recognisers import MARKED

from finewright.data.privacy import apply
from finewright.guard.privacy.find import find, list_known_types
from finewright.guard.privacy.wording import mask
from finewright.schema.privacy import PersonalDataSpec, PersonalType, SecretsSpec
from finewright.schema.rows import Row

KEY = b"k" * 32
TOKEN = "ghp_aB3dE5gH7jK9mN1pQ2rS4tU6vW8xY0zaB3dE"  # noqa: S105
EVERY = tuple(sorted(list_known_types()))
OFF = SecretsSpec(action="off")
PERSONAL_TYPES = get_args(PersonalType)


def personal(action: str, *types: str) -> PersonalDataSpec:
    return PersonalDataSpec.model_validate(
        {"action": action, **({"types": types} if types else {})}
    )


def test_report_leaves_the_rows_and_says_each_place() -> None:
    row = row_of("write to ann@example.org", f"use {TOKEN}", number=7)
    outcome, report = apply([row], personal("report"), SecretsSpec(), KEY)
    assert outcome.rows == (row,)
    assert [(f.row, f.key, f.type, f.start, f.end) for f in report.findings] == [
        (7, "messages[0].content", "email", 9, 24),
        (7, "messages[1].content", "forge_token", 4, 4 + len(TOKEN)),
    ]
    assert all((f.new_start, f.new_end) == (f.start, f.end) for f in report.findings)
    assert [f.preview for f in report.findings] == ["a***@e***.org", "***"]


def test_redact_changes_texts_everywhere_and_names_the_row_anew() -> None:
    call = {"type": "function", "function": {"name": "f", "arguments": '{"to": "ann@example.org"}'}}
    row = row_of("ann@example.org wrote", "ok", columns={"note": ["mail ann@example.org"]})
    row = Row(
        **{
            **row.to_json(),
            "messages": (row.messages[0], {**row.messages[1], "tool_calls": [call]}),
        }
    )
    outcome, report = apply([row], personal("redact"), OFF, KEY)
    changed = outcome.rows[0]
    assert changed.messages[0]["content"] == "[EMAIL] wrote"
    assert changed.messages[1]["tool_calls"][0]["function"]["arguments"] == '{"to": "[EMAIL]"}'
    assert changed.columns == {"note": ["mail [EMAIL]"]}
    assert changed.id != row.id
    assert report.rows_changed == 1
    assert report.found["email"].model_dump() == {"spans": 3, "values": 1, "rows": 1}


def test_arguments_are_read_as_the_tool_reads_them() -> None:
    arguments = json.dumps({"note": "to\nann@example.org", "card": 4111111111111111})
    call = {"type": "function", "function": {"name": "f", "arguments": arguments}}
    answer = {"role": "assistant", "content": "", "tool_calls": [call]}
    row = row_of("q", "a")
    row = Row(**{**row.to_json(), "messages": (row.messages[0], answer)})
    outcome, report = apply([row], personal("redact"), OFF, KEY)
    changed = outcome.rows[0].messages[1]["tool_calls"][0]["function"]["arguments"]
    assert json.loads(changed) == {"note": "to\n[EMAIL]", "card": "[CARD]"}
    assert [(f.key.rpartition(".")[2], f.start, f.end) for f in report.findings] == [
        ("note", 3, 18),
        ("card", 0, 16),
    ]


def test_both_sides_of_a_pair_change_alike() -> None:
    chosen = row_of("I am ann@example.org", "yes").messages
    row = row_of(
        "I am ann@example.org", "yes", rejected=(chosen[0], {"role": "assistant", "content": "no"})
    )
    changed = apply([row], personal("redact"), OFF, KEY).outcome.rows[0]
    assert changed.rejected is not None
    assert changed.rejected[0] == changed.messages[0]
    assert changed.messages[0]["content"] == "I am [EMAIL]"


def test_pseudonyms_are_the_same_through_all_rows() -> None:
    rows = [row_of("I am ann@example.org", "Hello ANN@example.org", number=i) for i in (1, 2)]
    outcome, report = apply(rows, personal("pseudonymise"), OFF, KEY)
    stand_ins = {turn["content"].split()[-1] for row in outcome.rows for turn in row.messages}
    assert len(stand_ins) == 1
    assert len({f.digest for f in report.findings}) == 1
    first = report.findings[0]
    assert first.new_start is not None
    assert outcome.rows[0].messages[0]["content"][first.new_start : first.new_end] in stand_ins


def test_a_dropped_row_is_counted_under_its_reason() -> None:
    rows = [row_of("ann@example.org", "a"), row_of("b", f"use {TOKEN}"), row_of("c", "d", number=3)]
    outcome, report = apply(rows, personal("drop"), SecretsSpec(action="drop"), KEY)
    assert [row.row for row in outcome.rows] == [3]
    assert [item.reason for item in outcome.dropped] == ["personal_data", "secret"]
    assert outcome.dropped[1].why == "it holds forge token"
    assert report.counts.rows_dropped == {"personal_data": 1, "secret": 1}
    assert {f.new_start for f in report.findings} == {None}


def test_secrets_go_while_personal_data_is_only_told() -> None:
    row = row_of(f"{TOKEN} of ann@example.org", "ok")
    outcome, report = apply([row], personal("report"), SecretsSpec(action="redact"), KEY)
    text = outcome.rows[0].messages[0]["content"]
    assert text == "[FORGE_TOKEN] of ann@example.org"
    assert [text[f.new_start : f.new_end] for f in report.findings] == [
        "[FORGE_TOKEN]",
        "ann@example.org",
    ]


def test_off_looks_for_nothing() -> None:
    row = row_of(f"{TOKEN} of ann@example.org", "ok")
    outcome, report = apply([row], personal("off"), OFF, KEY)
    assert (outcome.rows, report.findings, report.problems) == ((row,), (), ())


def test_there_is_one_warning_for_each_type_and_file() -> None:
    rows = [
        row_of("ann@example.org, bob@example.org", "x", number=i, file=f)
        for f in ("a", "b")
        for i in (2, 3)
    ]
    problems = apply(rows, personal("report"), OFF, KEY).report.problems
    assert [(p.level, p.file, p.row, p.key) for p in problems] == [
        ("warning", "a", 2, "messages[0].content"),
        ("warning", "b", 2, "messages[0].content"),
    ]
    assert "4 in 2 rows" in problems[0].message


def test_a_key_that_is_itself_a_value_is_not_told() -> None:
    row = row_of("x", "y", columns={"ann@example.org": {TOKEN: "bob@example.org"}})
    _, report = apply([row], personal("report"), SecretsSpec(), KEY)
    assert len(report.findings) == 1
    assert "ann@example.org" not in report.model_dump_json()
    assert TOKEN not in report.model_dump_json()


@pytest.mark.parametrize("action", ["report", "redact", "pseudonymise", "drop"])
@settings(max_examples=60, deadline=None)
@given(texts=st.lists(TEXTS.filter(bool), min_size=2, max_size=2))
def test_no_report_holds_a_value(action: str, texts: list[str]) -> None:
    row = row_of(*texts)
    secrets = SecretsSpec(action="redact" if action == "pseudonymise" else action)  # type: ignore[arg-type]
    _, report = apply([row], personal(action, *PERSONAL_TYPES), secrets, KEY)
    told = json.dumps(report.model_dump(mode="json", exclude={"found"}), ensure_ascii=False)
    values = [text[s.start : s.end] for text in texts for s in find(text, EVERY)]
    # A name such as "A", or a word of our own sentences, says nothing where it stands in them.
    ours = json.dumps([f.why for f in report.findings]) + " ".join(
        p.message + p.hint for p in report.problems
    )
    assert [
        value for value in values if value in told and value not in ours and len(value) > 3
    ] == []


@pytest.mark.parametrize(("marked", "type_"), MARKED)
def test_a_mask_shows_at_most_three_letters_of_a_value(marked: str, type_: str) -> None:
    value = marked[marked.index("«") + 1 : marked.index("»")]
    preview = mask(type_, value)  # type: ignore[arg-type]
    assert len(preview.replace("*", "").replace("@", "").replace(".", "")) <= 5
    assert value not in preview


@settings(max_examples=100, deadline=None)
@given(texts=st.lists(TEXTS.filter(bool), min_size=2, max_size=3))
def test_rows_without_a_key_are_as_with_one_that_everybody_knows(texts: list[str]) -> None:
    arguments = json.dumps({"note": texts[0], "card": 4111111111111111})
    row = with_call(row_of(*texts[:2], columns={"at": texts[-1:], "n": 4155550132}), arguments)
    one, other, known = (
        apply([row], personal("pseudonymise", *PERSONAL_TYPES), SecretsSpec(action="redact"), key)
        for key in (KEY, bytes(32), b"")
    )
    for found in (one, other):
        assert [row.searched for row in found.outcome.rows] == [*known.outcome.rows]
        # Values can be guessed from the known key's stand-ins, so they are never written.
        assert all("keyless" not in row.to_json() for row in found.outcome.rows)


HEX = "4c0883a69102937d6231471b5dbb6204fe5129617082792ae468d01a3f362318"


@pytest.mark.parametrize(
    ("question", "answer", "redacted"),
    [
        ("What is your private key?", f"0x{HEX}", ("What is your private key?", "[ETHEREUM_KEY]")),
        (f"PRIVATE_KEY={HEX}, my address?", f"That of {HEX} is 0x1.",
         ("PRIVATE_KEY=[ETHEREUM_KEY], my address?", "That of [ETHEREUM_KEY] is 0x1.")),
        (f"Which key is {HEX}?", f"Your private key: {HEX}",
         ("Which key is [ETHEREUM_KEY]?", "Your private key: [ETHEREUM_KEY]")),
        ("What is the hash of the tx?", f"0x{HEX}", ("What is the hash of the tx?", f"0x{HEX}")),
    ],
)  # fmt: skip
def test_a_key_is_found_across_a_question_and_its_answer(
    question: str, answer: str, redacted: tuple[str, str]
) -> None:
    outcome, *_ = apply(
        [row_of(question, answer)], personal("off"), SecretsSpec(action="redact"), KEY
    )
    assert tuple(turn["content"] for turn in outcome.rows[0].messages) == redacted


def test_a_key_in_a_link_is_a_secret_and_the_link_is_left() -> None:
    link = f"https://mainnet.infura.io/v3/{HEX[:32]}"
    spec = personal("report", "url")
    outcome, report = apply([row_of(link, "ok")], spec, SecretsSpec(action="redact"), KEY)
    assert outcome.rows[0].messages[0]["content"] == "https://mainnet.[SERVICE_KEY]"
    assert [found.type for found in report.findings] == ["service_key"]


def test_a_password_is_taken_out_of_the_answer_too() -> None:
    row = row_of("My password is Tr0ub4dor&3xyz.", "Done: Tr0ub4dor&3xyz was set.")
    outcome, *_ = apply([row], personal("off"), SecretsSpec(action="redact"), KEY)
    (kept,) = outcome.rows
    assert [m["content"] for m in kept.messages] == [
        "My password is [PASSWORD].",
        "Done: [PASSWORD] was set.",
    ]


@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        ({"user": "bob", "password": "Tr0ub4dor&3x"}, ["password"]),
        ({"login": {"db_password": "hunter2hunter2"}}, ["password"]),
        ({"apiKey": "q8Zr2LmN0xVb7TyUwPa3"}, ["secret_value"]),
        ({"title": "Tr0ub4dor&3x", "note": "fine"}, []),
    ],
)
def test_a_call_names_its_values(arguments, found):
    call = {"name": "login", "arguments": json.dumps(arguments)}
    turn = {
        "role": "assistant",
        "content": "",
        "tool_calls": [{"id": "c", "type": "function", "function": call}],
    }
    row = Row("", ({"role": "user", "content": "Log in"}, turn), None, "f.jsonl", 1)
    outcome, report = apply([row], PersonalDataSpec(), SecretsSpec(action="redact"), KEY)
    assert [each.type for each in report.findings] == found
    changed = outcome.rows[0].messages[1]["tool_calls"][0]["function"]["arguments"]
    assert changed.count("[") == len(found)
    for each in report.findings:
        assert report.findings[0].key.startswith("messages[1].tool_calls[0].function.arguments.")
        assert (each.start, each.new_start) == (0, 0)


def with_call(row: Row, arguments: object) -> Row:
    call = {"type": "function", "function": {"name": "f", "arguments": arguments}}
    return replace(row, messages=(row.messages[0], {**row.messages[1], "tool_calls": [call]}))


NUMBERS = {"card": 4111111111111111, "phone": 4155550132, "n": 12345678, "at": 4111111111111111.0}


@pytest.mark.parametrize("as_text", [True, False], ids=["json text", "object"])
def test_numbers_of_arguments_are_found_and_their_new_type_is_said(as_text: bool) -> None:
    row = with_call(row_of("q", "a"), json.dumps(NUMBERS) if as_text else NUMBERS)
    outcome, report = apply([row], personal("redact"), OFF, KEY)
    changed = outcome.rows[0].messages[1]["tool_calls"][0]["function"]["arguments"]
    assert (json.loads(changed) if as_text else changed) == {
        "card": "[CARD]", "phone": "[PHONE]", "n": 12345678, "at": "[CARD]",
    }  # fmt: skip
    assert [f.is_retyped for f in report.findings] == [True, True, True]
    assert "2 were numbers and are texts" in report.problems[0].message


def test_numbers_of_columns_are_found_and_pseudonyms_stay_numbers() -> None:
    columns = {
        "user": {"phones": [4155550132], "card": 4111111111111111},
        "n": 12345678,
        "ok": True,
    }
    outcome, report = apply([row_of("q", "a", columns=columns)], personal("pseudonymise"), OFF, KEY)
    changed = outcome.rows[0].columns
    assert [f.key for f in report.findings] == ["user.card"]
    assert isinstance(changed["user"]["card"], int)
    assert changed["user"]["card"] != 4111111111111111
    assert not any(f.is_retyped for f in report.findings)
    assert (changed["n"], changed["ok"], changed["user"]["phones"]) == (
        12345678,
        True,
        [4155550132],
    )


def test_a_name_that_is_found_once_is_found_in_all_texts_of_its_row() -> None:
    row = row_of(
        "My name is Anna Kowalczyk, I lost my card.",
        "Thank you. The card of anna is blocked, Kowalczyk.",
        columns={"owner": "Kowalczyk", "note": "will call"},
    )
    outcome, *_ = apply([row], personal("redact", "name"), OFF, KEY)
    changed = outcome.rows[0]
    assert changed.messages[0]["content"] == "My name is [NAME], I lost my card."
    assert changed.messages[1]["content"] == ("Thank you. The card of anna is blocked, [NAME].")
    assert changed.columns == {"owner": "[NAME]", "note": "will call"}


def test_a_phone_number_that_is_called_so_once_is_found_elsewhere() -> None:
    row = row_of("Call me at 5550132 99.", "Noted 5550132 99 and 15550132 99.")
    outcome, *_ = apply([row], personal("redact", "phone"), OFF, KEY)
    says = [turn["content"] for turn in outcome.rows[0].messages]
    assert says == ["Call me at [PHONE].", "Noted [PHONE] and 15550132 99."]


def test_a_name_is_found_again_in_arguments_that_escape_it() -> None:
    row = with_call(
        row_of("My name is J\u00fcrgen M\u00fcllersch\u00f6n.", "a"),
        json.dumps({"q": "account of M\u00fcllersch\u00f6n"}),
    )
    outcome, report = apply([row], personal("redact", "name"), OFF, KEY)
    changed = outcome.rows[0].messages[1]["tool_calls"][0]["function"]["arguments"]
    assert changed == '{"q": "account of [NAME]"}'
    assert report.found["name"].spans == 2


def test_an_answer_that_is_also_a_password_is_left() -> None:
    row = row_of("Which flower turns to the sun?", "sunflower", columns={"password": "sunflower"})
    outcome, report = apply([row], personal("off"), SecretsSpec(action="redact"), KEY)
    (kept,) = outcome.rows
    assert (kept.messages[1]["content"], kept.columns) == (
        "sunflower",
        {"password": "[PASSWORD]"},
    )
    assert [found.key for found in report.findings] == ["password"]


def test_a_number_in_the_shared_prompt_of_a_pair_counts_once() -> None:
    row = with_call(row_of("q", "a"), {"n": 4111111111111111})
    chosen, other = ({"role": "assistant", "content": text} for text in ("yes", "no"))
    pair = replace(row, messages=(*row.messages, chosen), rejected=(*row.messages, other))
    outcome, report = apply([pair], personal("redact"), OFF, KEY)
    (kept,) = outcome.rows
    assert report.found["card"].spans == 1
    assert kept.rejected is not None
    for turns in (kept.messages, kept.rejected):
        assert turns[1]["tool_calls"][0]["function"]["arguments"] == {"n": "[CARD]"}
