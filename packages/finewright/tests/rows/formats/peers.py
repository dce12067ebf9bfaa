"""The formats of peers, row by row: files in the form of their demo data, rebuilt here, and what their own
converters make of each row (read in their sources; TRL's are called where it is installed).

A difference that is meant stands beside its format, and is measured as such."""

import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from finewright.features.data.rows import read_options
from finewright.rows.fates import fates
from finewright.rows.identity import to_user_json
from finewright.rows.tally import usable
from finewright.schema.rows import Row

Said = list[tuple[str, str]]
Q, A, B, S = "How much is the fee?", "Five euros.", "No idea.", "You are a bank's clerk."
TOOL = {"name": "fee", "description": "The fee", "parameters": {"type": "object", "properties": {}}}
CALL = '{"name": "fee", "arguments": {"card": "gold"}}'


class PeerFormat(NamedTuple):
    """A format, a file of it with its entry in a manifest, and what the peer's converter gives for a row."""

    peer: str
    name: str
    rows: list[dict[str, Any]]
    theirs: list[Said]
    entry: Mapping[str, Any] = {}
    rejected: Sequence[str] = ()
    difference: str = ""


def llamafactory() -> list[PeerFormat]:
    """data/README.md and data/converter.py: alpaca, sharegpt and openai; converter.py of v1."""
    peer = "LLaMA-Factory"
    turns = [{"from": "human", "value": Q}, {"from": "gpt", "value": A}]
    called = [
        turns[0],
        {"from": "function_call", "value": CALL},
        {"from": "observation", "value": "5"},
        turns[1],
    ]
    openai = [
        {"role": "system", "content": S},
        {"role": "user", "content": Q},
        {"role": "assistant", "content": A},
    ]
    sharegpt = {
        "formatting": "sharegpt",
        "columns": {"messages": "conversations", "system": "system", "tools": "tools"},
    }
    pair = {
        "formatting": "sharegpt",
        "ranking": True,
        "columns": {"messages": "conversations", "chosen": "chosen", "rejected": "rejected"},
    }
    tags = {
        "role_tag": "role",
        "content_tag": "content",
        "user_tag": "user",
        "assistant_tag": "assistant",
        "system_tag": "system",
    }
    part = [
        {"role": r, "content": [{"type": "text", "value": t}], "loss_weight": w}
        for r, t, w in (("system", S, 0.0), ("user", Q, 0.0), ("assistant", A, 1.0))
    ]
    worse = [*part[:-1], {**part[-1], "content": [{"type": "text", "value": B}]}]
    return [
        PeerFormat(
            peer,
            "alpaca",
            [
                {"instruction": Q, "input": "", "output": A},
                {
                    "instruction": Q,
                    "input": "In euros.",
                    "output": A,
                    "system": S,
                    "history": [["Hi", "Hello"]],
                },
            ],
            [
                [("user", Q), ("assistant", A)],
                [
                    ("system", S),
                    ("user", "Hi"),
                    ("assistant", "Hello"),
                    ("user", f"{Q}\nIn euros."),
                    ("assistant", A),
                ],
            ],
            {
                "columns": {
                    "prompt": "instruction",
                    "query": "input",
                    "response": "output",
                    "system": "system",
                    "history": "history",
                }
            },
        ),
        PeerFormat(
            peer,
            "alpaca, other columns",
            [{"q": Q, "a": A}],
            [[("user", Q), ("assistant", A)]],
            {"columns": {"prompt": "q", "response": "a"}},
        ),
        PeerFormat(
            peer,
            "alpaca, ranking",
            [{"instruction": Q, "input": "", "chosen": A, "rejected": B}],
            [[("user", Q), ("assistant", A)]],
            {
                "ranking": True,
                "columns": {
                    "prompt": "instruction",
                    "query": "input",
                    "chosen": "chosen",
                    "rejected": "rejected",
                },
            },
            [B],
        ),
        PeerFormat(
            peer,
            "alpaca, kto_tag",
            [{"instruction": Q, "input": "", "output": A, "kto_tag": False}],
            [[("user", Q), ("assistant", A)]],
            {"columns": {"prompt": "instruction", "response": "output", "kto_tag": "kto_tag"}},
        ),
        PeerFormat(
            peer,
            "sharegpt",
            [{"conversations": turns, "system": S}],
            [[("system", S), ("user", Q), ("assistant", A)]],
            sharegpt,
        ),
        PeerFormat(
            peer,
            "sharegpt with tools",
            [{"conversations": called, "tools": json.dumps([TOOL])}],
            [[("user", Q), ("call", CALL), ("tool", "5"), ("assistant", A)]],
            sharegpt,
        ),
        PeerFormat(
            peer,
            "sharegpt, ranking",
            [
                {
                    "conversations": turns[:1],
                    "chosen": turns[1],
                    "rejected": {"from": "gpt", "value": B},
                }
            ],
            [[("user", Q), ("assistant", A)]],
            pair,
            [B],
        ),
        PeerFormat(
            peer,
            "openai by tags",
            [{"messages": openai}],
            [[("system", S), ("user", Q), ("assistant", A)]],
            {"formatting": "sharegpt", "columns": {"messages": "messages"}, "tags": tags},
        ),
        PeerFormat(
            peer, "v1", [{"messages": part}], [[("system", S), ("user", Q), ("assistant", A)]]
        ),
        PeerFormat(
            peer,
            "v1, pairs",
            [{"chosen_messages": part, "rejected_messages": worse}],
            [[("system", S), ("user", Q), ("assistant", A)]],
            {},
            [B],
        ),
        PeerFormat(
            peer,
            "sharegpt that ends with a question",
            [{"conversations": [*turns, {"from": "human", "value": "Thanks"}]}],
            [[("user", Q), ("assistant", A), ("user", "Thanks")]],
            sharegpt,
            difference="skipped there; here its answer is learned, and a warning says how it ends",
        ),
    ]


def axolotl() -> list[PeerFormat]:
    """docs/dataset-formats and prompt_tokenizers.py; words of prompters are left to the chat template."""
    peer, qa = "Axolotl", [[("user", Q), ("assistant", A)]]
    segments = [
        {"label": True, "text": "<s>Hello\n"},
        {"label": True, "text": "hi there!. "},
        {"label": False, "text": "goodbye "},
        {"label": True, "text": "farewell</s>"},
    ]
    return [
        PeerFormat(
            peer,
            "chat_template",
            [{"messages": [{"role": "human", "content": Q}, {"role": "gpt", "content": A}]}],
            qa,
        ),
        PeerFormat(
            peer,
            "alpaca",
            [{"instruction": Q, "input": S, "output": A}],
            [[("user", f"{Q}\n{S}"), ("assistant", A)]],
        ),
        PeerFormat(
            peer,
            "gpteacher",
            [{"instruction": Q, "input": S, "response": A}],
            [[("user", f"{Q}\n{S}"), ("assistant", A)]],
        ),
        PeerFormat(peer, "oasst", [{"INSTRUCTION": Q, "RESPONSE": A}], qa),
        PeerFormat(
            peer,
            "concisechoice",
            [{"question": Q, "choices": ["5", "6"], "solution": "5"}],
            [[("user", f'{Q}\n- "5"\n- "6"'), ("assistant", "5")]],
        ),
        PeerFormat(
            peer,
            "dpo, chatml.intel",
            [{"system": S, "question": Q, "chosen": A, "rejected": B}],
            [[("system", S), ("user", Q), ("assistant", A)]],
            {},
            [B],
        ),
        PeerFormat(
            peer,
            "dpo, chat_template",
            [
                {
                    "messages": [{"role": "user", "content": Q}],
                    "chosen": {"role": "assistant", "content": A},
                    "rejected": {"role": "assistant", "content": B},
                }
            ],
            qa,
            {},
            [B],
        ),
        PeerFormat(
            peer,
            "input_output",
            [{"segments": segments}],
            [
                [
                    ("assistant", "Hello\nhi there!. "),
                    ("user", "goodbye "),
                    ("assistant", "farewell"),
                ]
            ],
            difference="joined there without a template; here turns in the model's, and a warning says so",
        ),
        PeerFormat(
            peer,
            "stepwise_supervised",
            [{"prompt": Q, "completions": ["a", "b"], "labels": [True, False]}],
            [[("user", Q), ("assistant", "a\nb")]],
            difference="a label a step there; here one for the answer, and a warning says so",
        ),
    ]


def trl() -> list[PeerFormat]:
    """docs/source/dataset_formats.md and trl/data_utils.py."""
    peer, qa = "TRL", [[("user", Q), ("assistant", A)]]
    asked, better, worse = (
        [{"role": r, "content": t}] for r, t in (("user", Q), ("assistant", A), ("assistant", B))
    )
    call = {"type": "function", "function": {"name": "fee", "arguments": {"card": "gold"}}}
    called = [
        *asked,
        {"role": "assistant", "tool_calls": [call]},
        {"role": "tool", "name": "fee", "content": "5"},
        *better,
    ]
    return [
        PeerFormat(peer, "language modelling", [{"messages": [*asked, *better]}], qa),
        PeerFormat(peer, "prompt and completion", [{"prompt": asked, "completion": better}], qa),
        PeerFormat(peer, "prompt only", [{"prompt": asked}], [[("user", Q)]]),
        PeerFormat(
            peer,
            "preference",
            [{"prompt": asked, "chosen": better, "rejected": worse}],
            qa,
            {},
            [B],
        ),
        PeerFormat(
            peer,
            "preference, implicit",
            [{"chosen": [*asked, *better], "rejected": [*asked, *worse]}],
            qa,
            {},
            [B],
        ),
        PeerFormat(peer, "unpaired", [{"prompt": asked, "completion": better, "label": True}], qa),
        PeerFormat(
            peer,
            "from and value",
            [{"conversations": [{"from": "user", "value": Q}, {"from": "assistant", "value": A}]}],
            qa,
        ),
        PeerFormat(
            peer,
            "calls without ids",
            [{"messages": called, "tools": [{"type": "function", "function": TOOL}]}],
            [[("user", Q), ("call", CALL), ("tool", "5"), ("assistant", A)]],
        ),
        PeerFormat(
            peer,
            "text: prompt and completion",
            [{"prompt": "The sky is", "completion": " blue."}],
            [[("user", "The sky is"), ("assistant", " blue.")]],
            difference="joined and continued there; here a question and its answer, which is said",
        ),
        PeerFormat(
            peer,
            "text: preference, implicit",
            [{"chosen": "The sky is blue.", "rejected": "The sky is green."}],
            [[("user", "The sky is"), ("assistant", " blue.")]],
            {},
            [" green."],
            difference="the same cut; here turns in the chat template, and a warning says so",
        ),
    ]


def every() -> list[PeerFormat]:
    return [*llamafactory(), *axolotl(), *trl()]


def differences(peer: PeerFormat) -> list[str]:
    """Where our rows are not those that the peer makes; nothing where all are."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "demo.json").write_text(json.dumps(peer.rows), encoding="utf-8")
        if peer.entry:
            about = {"demo": {"file_name": "demo.json", **peer.entry}}
            (Path(folder) / "dataset_info.json").write_text(json.dumps(about), encoding="utf-8")
        found = usable(fates(Path(folder), read_options()))
    told = any(problem.level != "error" for problem in found.tally.listing.problems())
    wrong = (
        []
        if [said(row) for row in found.rows] == peer.theirs
        else [str([said(r) for r in found.rows])]
    )
    worse = [row.rejected[-1]["content"] for row in found.rows if row.rejected]
    wrong += [] if worse == list(peer.rejected) else [f"rejected: {worse}"]
    is_told = told or not peer.difference or "which is said" in peer.difference
    return wrong + ([] if is_told else ["the difference is not said"])


def said(row: Row) -> Said:
    """Who says what; a call as the JSON of its name and arguments."""
    turns = to_user_json(row).get("messages") or row.messages
    return [turn for message in turns for turn in _said(message)]


def _said(message: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for call in message.get("tool_calls") or ():
        function = call["function"]
        given = function["arguments"]
        given = json.loads(given) if isinstance(given, str) else given
        yield "call", json.dumps({"name": function["name"], "arguments": given})
    if not message.get("tool_calls"):
        yield message["role"], message["content"]
