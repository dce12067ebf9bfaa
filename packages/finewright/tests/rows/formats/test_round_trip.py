"""Any conversation, written in each chat format by hand, comes back as it was."""

import json
import string

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from finewright.rows.formats.native import families, family_named, fitting, forms

from .door import Out, door, out

# What is said is said in letters, spaces and marks; no line begins like HH's.
WORDS = st.text(string.ascii_letters + " äß?🙂", min_size=1, max_size=12).filter(str.strip)


def turn(role: str, content: str) -> dict:
    return {"role": role, "content": content}


@st.composite
def dialogues(draw: st.DrawFn) -> list[dict]:
    """Perhaps a system, then questions and answers, of which the last is learned."""
    system = [turn("system", draw(WORDS))] if draw(st.booleans()) else []
    turns = []
    for _ in range(draw(st.integers(1, 4))):
        turns += [turn("user", draw(WORDS)), turn("assistant", draw(WORDS))]
    for message in turns[1:-1:2]:
        if draw(st.booleans()):
            message["weight"] = 0
    return [*system, *turns]


@st.composite
def calls(draw: st.DrawFn) -> list[dict]:
    """A dialogue in which tools are called and answer."""
    said, number = [], 0
    for _ in range(draw(st.integers(1, 3))):
        said.append(turn("user", draw(WORDS)))
        made = []
        for _ in range(draw(st.integers(1, 2))):
            number += 1
            arguments = {"x": draw(st.integers() | WORDS)}
            function = {"name": draw(st.sampled_from("fg")), "arguments": arguments}
            made.append({"id": f"call_{number}", "type": "function", "function": function})
        said.append({"role": "assistant", "content": "", "tool_calls": made})
        said += [
            {"role": "tool", "tool_call_id": call["id"], "content": draw(WORDS)} for call in made
        ]
        said.append(turn("assistant", draw(WORDS)))
    return said


def split(said: list[dict]) -> tuple[dict, list[dict]]:
    """(`system` key if there is one, the other turns)"""
    has_system = said[0]["role"] == "system"
    return ({"system": said[0]["content"]} if has_system else {}), said[has_system:]


def unweighted(said: list[dict]) -> list[dict]:
    return [{k: v for k, v in message.items() if k != "weight"} for message in said]


def with_switch(said: list[dict], name: str) -> list[dict]:
    return [
        {**{k: v for k, v in m.items() if k != "weight"}, name: bool(m.get("weight", 1))}
        if m["role"] == "assistant"
        else m
        for m in said
    ]


NAMES = {"system": "system", "user": "human", "assistant": "gpt"}


def sharegpt(said: list[dict]) -> list[dict]:
    return [
        {"from": NAMES[m["role"]], "value": m["content"]} | {k: 0 for k in ("weight",) if k in m}
        for m in said
    ]


@given(dialogues())
def test_a_dialogue_in_openais_form_and_with_every_switch(said):
    for row in (
        {"messages": said},
        {"messages": with_switch(said, "train")},
        {"messages": with_switch(said, "loss")},
        {"conversations": sharegpt(said)},
        {**split(said)[0], "conversations": sharegpt(split(said)[1])},
    ):
        found = door(row)
        assert found.problems == ()
        assert [out(row) for row in found.rows] == [Out(said)]


@given(dialogues())
def test_a_dialogue_in_forms_that_know_no_switch(said):
    said = unweighted(said)
    system, turns = split(said)
    earlier = [
        [q["content"], a["content"]] for q, a in zip(turns[:-2:2], turns[1:-2:2], strict=True)
    ]
    question, answer = turns[-2]["content"], turns[-1]["content"]
    both = zip(turns[::2], turns[1::2], strict=True)
    names = {"user": "user", "assistant": "model"}
    contents = [{"role": names[m["role"]], "parts": [{"text": m["content"]}]} for m in turns]
    told = {"systemInstruction": {"parts": [{"text": said[0]["content"]}]}} if system else {}
    for row in (
        {**system, "instruction": question, "output": answer, "history": earlier},
        {**system, "query": question, "response": answer, "history": earlier},
        {
            **system,
            "conversation": [{"human": q["content"], "assistant": a["content"]} for q, a in both],
        },
        {**told, "contents": contents},
    ):
        found = door(row)
        assert found.problems == ()
        assert [out(row) for row in found.rows] == [Out(said)]


@given(calls())
def test_calls_and_results(said):
    legacy, turns, contents = [], [], []
    names = {call["id"]: call["function"]["name"] for m in said for call in m.get("tool_calls", ())}
    for m in said:
        functions = [call["function"] for call in m.get("tool_calls", ())]
        if functions:
            turns.append({"from": "function_call", "value": json.dumps(functions)})
            legacy += [{"role": "tool_call", "content": json.dumps(f)} for f in functions]
            parts = [
                {"functionCall": {"name": f["name"], "args": f["arguments"]}} for f in functions
            ]
            contents.append({"role": "model", "parts": parts})
        elif m["role"] == "tool":
            turns.append({"from": "observation", "value": m["content"]})
            legacy.append({"role": "tool_response", "content": m["content"]})
            response = {"name": names[m["tool_call_id"]], "response": m["content"]}
            contents.append({"role": "user", "parts": [{"functionResponse": response}]})
        else:
            turns += sharegpt([m])
            legacy.append(m)
            role = "model" if m["role"] == "assistant" else "user"
            contents.append({"role": role, "parts": [{"text": m["content"]}]})
    for row in ({"conversations": turns}, {"messages": legacy}, {"messages": said}):
        assert [out(row) for row in door(row).rows] == [Out(said)]
    (found,) = door({"contents": contents}).rows
    # Gemini's results have no ids, so two calls of one name are answered in their order; so they are here.
    for one, other in zip(found.messages, said, strict=True):
        text = json.loads(one["content"]) if one["role"] == "tool" else one["content"]
        assert (one["role"], text) == (other["role"], other["content"])
        assert one.get("tool_call_id") == other.get("tool_call_id")
        assert one.get("tool_calls") == other.get("tool_calls")


@given(dialogues(), WORDS)
def test_a_pair_in_every_form(said, worse):
    said = unweighted(said)
    system, turns = split(said)
    question, better = turns[-2:]
    if worse.strip() == better["content"].strip():
        return
    prompt = [m | {"weight": 0} if m["role"] == "assistant" else m for m in said[:-1]]
    other = turn("assistant", worse)
    expected = Out([*prompt, better], [*prompt, other])
    asked = sharegpt(unweighted(prompt))
    rows = [
        {
            "input": {"messages": said[:-1]},
            "preferred_output": [better],
            "non_preferred_output": [other],
        },
        {"messages": said, "rejected_response": worse},
        {"messages": said, "rejected_messages": [*said[:-1], other]},
        {"messages": said[:-1], "chosen": better, "rejected": other},
        {"conversations": asked, "chosen": sharegpt([better])[0], "rejected": sharegpt([other])[0]},
        {"prompt": said[:-1], "chosen": [better], "rejected": [other]},
    ]
    if len(turns) == 2:
        texts = {"chosen": better["content"], "rejected": worse}
        rows += [
            {**system, key: question["content"], **texts}
            for key in ("question", "input", "instruction", "prompt")
        ]
    for row in rows:
        found = door(row)
        if [p.level for p in found.problems] != ["warning"]:
            assert found.problems == ()
            assert [out(row) for row in found.rows] == [expected]


@given(dialogues(), WORDS)
def test_a_dialogue_as_text_comes_back_stripped(said, worse):
    turns = [m | {"content": m["content"].strip()} for m in unweighted(split(said)[1])]
    names = {"user": "Human", "assistant": "Assistant"}
    text = "".join(f"\n\n{names[m['role']]}: {m['content']}" for m in turns)
    assert [out(row) for row in door({"text": text}).rows] == [Out(turns)]
    other = f"{text} {worse}".strip()
    pair = door({"chosen": text, "rejected": f"\n\n{other}"})
    assert [row.rejected[-1]["content"] for row in pair.rows] == [
        f"{turns[-1]['content']} {worse}".strip()
    ]


KEYS = sorted({key for form in forms() for key in form.keys})


@settings(max_examples=200)
@given(st.sets(st.sampled_from(KEYS), max_size=6))
def test_of_any_keys_one_form_fits_or_it_is_said_which_do(keys):
    data = dict.fromkeys(keys, "x")
    forms = fitting(data, "auto", "auto")
    for one in forms:
        assert one.keys <= keys
        assert not any(other.keys > one.keys for other in forms)


@pytest.mark.parametrize("family", families())
def test_a_family_has_one_name_however_it_is_written(family):
    assert family_named(family) == family
    assert family_named(family.upper().replace("_", "-")) == family
    assert all(form.why and form.mark for form in forms() if form.family == family)


def test_no_other_name_is_a_family():
    assert family_named("alpacca") is None
    assert family_named("auto") == "auto"
    assert family_named("ms-swift") == family_named("swift") == "ms_swift"
