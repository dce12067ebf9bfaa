"""LLaMA-Factory's demo rows in every form that it, TRL and Axolotl read."""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

Row = dict[str, Any]  # Any: free JSON
_MOST = 100
_SYSTEM = "Answer briefly."


class FormedSet(NamedTuple):
    """Rows of one form; its entry in a `dataset_info.json`, or the columns that a user names."""

    name: str
    rows: Sequence[Row]
    entry: Mapping[str, Any] = {}
    columns: Mapping[str, str] = {}


class _Demo(NamedTuple):
    """Questions with answers, pairs, and conversations with tools, as plain messages."""

    asked: list[Row]
    pairs: list[Row]
    called: list[Row]


def _read(path: Path) -> list[Row]:
    text = path.read_text(encoding="utf-8")
    if text.lstrip().startswith("["):
        return list(json.loads(text))
    return [json.loads(line) for line in text.splitlines() if line.strip()]


def _demo(folder: Path) -> _Demo:
    return _Demo(
        _read(folder / "alpaca_en_demo.json")[:_MOST],
        _read(folder / "dpo_en_demo.json")[:_MOST],
        _read(folder / "glaive_toolcall_en_demo.json")[:_MOST],
    )


def llamafactory_sets(folder: Path) -> list[FormedSet]:
    """Each file of the demo data as its manifest has it, those of v1, and the forms that have no demo."""
    about = json.loads((folder / "dataset_info.json").read_text(encoding="utf-8"))
    demo = _demo(folder)
    own = [
        FormedSet(name, _read(folder / file), {"formatting": "alpaca", **entry})
        for name, entry in about.items()
        if (file := entry.pop("file_name", "")).endswith((".json", ".jsonl"))
    ]
    return [
        *own,
        *(FormedSet(name, _read(folder / f"{name}.jsonl")) for name in _VERSION_1),
        FormedSet(
            "alpaca_system", [_with_history(row) for row in demo.asked], _entry("alpaca", _ALPACA)
        ),
        FormedSet(
            "alpaca_pairs",
            [_alpaca_pair(row) for row in demo.pairs],
            _entry("alpaca", _PAIR, ranking=True),
        ),
        FormedSet("openai", [{"messages": _messages(row)} for row in demo.called], _OPENAI),
        FormedSet(
            "odd_ends",
            [_odd(row) for row in demo.called],
            _entry("sharegpt", {"messages": "conversations"}),
        ),
    ]


_VERSION_1 = ("v1_sft_demo", "v1_dpo_demo")
_ALPACA = {name: name for name in ("system", "history")} | {
    "prompt": "instruction", "query": "input", "response": "output",
}  # fmt: skip
_PAIR = {"prompt": "instruction", "query": "input", "chosen": "chosen", "rejected": "rejected"}
_OPENAI = {
    "formatting": "openai",
    "columns": {"messages": "messages"},
    "tags": {
        "role_tag": "role", "content_tag": "content", "user_tag": "user", "assistant_tag": "assistant",
        "observation_tag": "tool", "function_tag": "function", "system_tag": "system",
    },
}  # fmt: skip


def _entry(formatting: str, columns: Mapping[str, str], **more: Any) -> dict[str, Any]:
    return {"formatting": formatting, "columns": dict(columns), **more}


def _with_history(row: Row) -> Row:
    return {**row, "system": _SYSTEM, "history": [["Hello", "Hello. What can I do?"]]}


def _alpaca_pair(row: Row) -> Row:
    asked, chosen, rejected = _pair(row)
    return {"instruction": asked, "input": "", "chosen": chosen, "rejected": rejected}


def _odd(row: Row) -> Row:
    """The conversation without its last turn: it ends with a question."""
    return {"conversations": row["conversations"][:-1]}


def _pair(row: Row) -> tuple[str, str, str]:
    return row["conversations"][-1]["value"], row["chosen"]["value"], row["rejected"]["value"]


def _messages(row: Row) -> list[Row]:
    """A conversation with calls in OpenAI's form."""
    return list(_turns(row["conversations"]))


def _turns(turns: Sequence[Row]) -> Iterator[Row]:
    roles = {"human": "user", "gpt": "assistant", "observation": "tool", "system": "system"}
    for number, turn in enumerate(turns):
        if turn["from"] != "function_call":
            result = {"tool_call_id": f"call_{number - 1}"} if turn["from"] == "observation" else {}
            yield {"role": roles[turn["from"]], "content": turn["value"], **result}
            continue
        call = json.loads(turn["value"])
        function = {"name": call["name"], "arguments": json.dumps(call["arguments"])}
        called = {"id": f"call_{number}", "type": "function", "function": function}
        yield {"role": "assistant", "content": "", "tool_calls": [called]}


def trl_sets(folder: Path) -> list[FormedSet]:
    """The types of docs/source/dataset_formats.md, as messages and as text."""
    demo = _demo(folder)
    asked = [[{"role": "user", "content": _asked(row)}] for row in demo.asked]
    answered = [[{"role": "assistant", "content": row["output"]}] for row in demo.asked]
    both = list(zip(asked, answered, strict=True))
    pairs = [
        ([{"role": "user", "content": q}], *([{"role": "assistant", "content": a}] for a in (c, r)))
        for q, c, r in map(_pair, demo.pairs)
    ]
    return [
        FormedSet("language_modeling", [{"messages": [*q, *a]} for q, a in both]),
        FormedSet("prompt_only", [{"prompt": q} for q in asked]),
        FormedSet("prompt_completion", [{"prompt": q, "completion": a} for q, a in both]),
        FormedSet("preference", [{"prompt": q, "chosen": c, "rejected": r} for q, c, r in pairs]),
        FormedSet("implicit", [{"chosen": [*q, *c], "rejected": [*q, *r]} for q, c, r in pairs]),
        FormedSet(
            "unpaired",
            [{"prompt": q, "completion": a, "label": i % 2 == 0} for i, (q, a) in enumerate(both)],
        ),
        FormedSet("from_value", [{"conversations": _from_value([*q, *a])} for q, a in both]),
        FormedSet("tools", [_with_tools(row) for row in demo.called]),
        FormedSet("text_prompt_only", [{"prompt": _asked(row)} for row in demo.asked]),
        FormedSet(
            "text_prompt_completion",
            [{"prompt": _asked(r), "completion": r["output"]} for r in demo.asked],
        ),
        FormedSet(
            "text_preference",
            [{"prompt": q, "chosen": c, "rejected": r} for q, c, r in map(_pair, demo.pairs)],
        ),
        FormedSet(
            "text_implicit",
            [{"chosen": f"{q} {c}", "rejected": f"{q} {r}"} for q, c, r in map(_pair, demo.pairs)],
        ),
        FormedSet(
            "text_unpaired",
            [{"prompt": _asked(r), "completion": r["output"], "label": True} for r in demo.asked],
        ),
    ]


def _asked(row: Row) -> str:
    return f"{row['instruction']}\n{row['input']}" if row.get("input") else str(row["instruction"])


def _from_value(messages: Sequence[Row]) -> list[Row]:
    return [{"from": each["role"], "value": each["content"]} for each in messages]


def _with_tools(row: Row) -> Row:
    """Arguments as objects and calls without ids, as TRL documents them."""
    messages = _messages(row)
    for message in messages:
        message.pop("tool_call_id", None)
        for call in message.get("tool_calls", ()):
            call.pop("id")
            call["function"]["arguments"] = json.loads(call["function"]["arguments"])
    tools = [
        {"type": "function", "function": tool} for tool in json.loads(row.get("tools") or "[]")
    ]
    return {"messages": messages, **({"tools": tools} if tools else {})}


def axolotl_sets(folder: Path) -> list[FormedSet]:
    """The strategies of prompt_tokenizers.py and prompt_strategies, each with the keys that it reads.

    Where the keys alone tell nothing, the columns are those that `data show` proposes."""
    demo = _demo(folder)
    return [*_asked_sets(demo), *_chat_sets(demo), *_pair_sets(demo), *_rated_sets(demo)]


def _asked_sets(demo: _Demo) -> Iterator[FormedSet]:
    rows = demo.asked
    yield FormedSet("alpaca", rows)
    yield FormedSet("alpaca_w_system", [{**row, "system": _SYSTEM} for row in rows])
    yield FormedSet("gpteacher", [_renamed(row, output="response") for row in rows])
    choices = {"choices": ["yes", "no"], "solution": "yes"}
    yield FormedSet("explainchoice", [{"question": _asked(row), **choices} for row in rows])
    for name, asked, answer, more in (
        ("oasst", "INSTRUCTION", "RESPONSE", {}),
        ("open_orca", "question", "response", {"system_prompt": _SYSTEM}),
        ("jeopardy", "question", "answer", {"category": "SCIENCE"}),
        ("summarizetldr", "article", "summary", {}),
        ("nomic_gpt4all", "prompt", "response", {}),
        ("metharme", "prompt", "generation", {}),
        ("load_qa", "question", "answer", {}),
        ("camel_ai", "message_1", "message_2", {}),
    ):
        columns = {"prompt": asked, "completion": answer} if name != "oasst" else {}
        columns |= {"system": "system_prompt"} if "system_prompt" in more else {}
        if "category" in more:
            columns = {"instruction": asked, "input": "category", "output": answer}
        made = [{asked: _asked(row), answer: row["output"], **more} for row in rows]
        yield FormedSet(name, made, columns=columns)
    yield FormedSet("input_output", [_segments(row) for row in rows])


def _chat_sets(demo: _Demo) -> Iterator[FormedSet]:
    yield FormedSet("chat-messages", [_with_tools(row) for row in demo.called])
    said = [_from_value(_messages_of(row)) for row in demo.asked]
    yield FormedSet("chat-from_value", [{"conversations": turns} for turns in said])
    yield FormedSet("chat-train", [{"messages": _partly(row)} for row in demo.called])


def _pair_sets(demo: _Demo) -> Iterator[FormedSet]:
    pairs = [_pair(row) for row in demo.pairs]
    for style, key in (
        ("default", "prompt"),
        ("intel", "question"),
        ("icr", "input"),
        ("prompt_pairs", "prompt"),
    ):
        system = {} if style == "default" else {"system": _SYSTEM}
        rows = [{**system, key: asked, "chosen": c, "rejected": r} for asked, c, r in pairs]
        yield FormedSet(f"dpo-{style}", rows)
    yield FormedSet("dpo-argilla_chat", [_whole(*each) for each in pairs])
    yield FormedSet("dpo-ultra", [{"prompt": each[0], **_whole(*each)} for each in pairs])


def _rated_sets(demo: _Demo) -> Iterator[FormedSet]:
    for style, key in (
        ("argilla", "instruction"),
        ("intel", "question"),
        ("prompt_pairs", "prompt"),
    ):
        yield FormedSet(f"kto-{style}", [_rated(key, row) for row in demo.asked])
    whole = [{"completion": _messages_of(row), "label": True} for row in demo.asked]
    yield FormedSet("kto-argilla_chat", whole, columns={"messages": "completion"})


def _renamed(row: Row, **names: str) -> Row:
    return {names.get(key, key): value for key, value in row.items()}


def _messages_of(row: Row) -> list[Row]:
    return [
        {"role": "user", "content": _asked(row)},
        {"role": "assistant", "content": row["output"]},
    ]


def _partly(row: Row) -> list[Row]:
    """Only the last answer is learned."""
    turns = [
        {"role": t["role"], "content": t["content"]}
        for t in _messages(row)
        if t["role"] in ("user", "assistant")
    ]
    turns = [t for t in turns if t["content"]]
    last = max(i for i, turn in enumerate(turns) if turn["role"] == "assistant")
    return [
        turn | ({"train": i == last} if turn["role"] == "assistant" else {})
        for i, turn in enumerate(turns)
    ]


def _whole(asked: str, chosen: str, rejected: str) -> Row:
    first = {"role": "user", "content": asked}
    return {
        "chosen": [first, {"role": "assistant", "content": chosen}],
        "rejected": [first, {"role": "assistant", "content": rejected}],
    }


def _rated(key: str, row: Row) -> Row:
    return {key: _asked(row), "completion": row["output"], "label": len(row["output"]) % 2 == 0}


def _segments(row: Row) -> Row:
    return {
        "segments": [{"label": False, "text": _asked(row)}, {"label": True, "text": row["output"]}]
    }
