"""Every format of the core through the suite of formats."""

from finewright.conformance.format import FormatConformance

from .door import TOOL, A, B, Q, S

H, G = {"from": "human", "value": "Q"}, {"from": "gpt", "value": "A"}
U, M, W = (
    {"role": r, "parts": [{"text": t}]} for r, t in (("user", "Q"), ("model", "A"), ("model", "B"))
)
LEAVES = [{"text": t, "role": "assistant", "rank": i} for i, t in enumerate("AB")]
TREE = {"text": "Q", "role": "prompter", "replies": LEAVES}
ASKED, BETTER, WORSE = "\n\nHuman: Q\n\nAssistant:", " A", " B"


class TestOpenai(FormatConformance):
    name = "openai"
    rows = [
        {"messages": [S, Q, A], "tools": [TOOL]},
        {"messages": [Q]},
        {"messages": [Q, A], "label": True},
        {"messages": [Q, A], "kto_tag": False},
        {"input": {"messages": [Q]}, "preferred_output": [A], "non_preferred_output": [B]},
        {"input": {"messages": [Q]}, "preferred_completion": [A], "non_preferred_completion": [B]},
        {"chosen_messages": [Q, A], "rejected_messages": [Q, B]},
    ]


class TestOwn(FormatConformance):
    name = "own"
    rows = [
        {"prompt": "Q", "completion": "A"},
        {"prompt": [Q], "chosen": [A], "rejected": [B]},
        {"prompt": "Q", "completion": "A", "label": False},
        {"prompt": [S, Q]},
    ]


class TestHh(FormatConformance):
    name = "hh"
    rows = [
        {"chosen": ASKED + BETTER, "rejected": ASKED + WORSE},
        {"prompt": ASKED, "completion": "A"},
        {"prompt": ASKED, "completion": "A", "label": True},
        {"prompt": ASKED},
        {"text": ASKED + BETTER},
    ]


class TestAlpaca(FormatConformance):
    name = "alpaca"
    rows = [
        {"instruction": "Q", "input": "I", "output": "A", "history": [["a", "b"]]},
        {"instruction": "Q", "output": "A", "kto_tag": True},
        {"instruction": "Q", "output": "A", "label": True},
        {"instruction": "Q", "chosen": "A", "rejected": "B"},
    ]


class TestSharegpt(FormatConformance):
    name = "sharegpt"
    rows = [
        {"conversations": [H, G], "system": "S"},
        {"conversation": [{"human": "Q", "assistant": "A"}]},
        {"conversations": [H, G], "kto_tag": True},
        {"conversations": [H, G], "label": False},
        {"conversations": [H], "chosen": G, "rejected": {"from": "gpt", "value": "B"}},
    ]


class TestSwift(FormatConformance):
    name = "swift"
    rows = [
        {"query": "Q", "response": "A", "history": [["a", "b"]]},
        {"query": "Q", "response": "A", "label": True},
        {"query": "Q", "response": "A", "rejected_response": "B"},
        {"messages": [Q, A], "rejected_response": "B"},
        {"messages": [Q, A], "rejected_messages": [Q, B]},
    ]


class TestAxolotl(FormatConformance):
    name = "axolotl"
    rows = [
        {"question": "Q", "chosen": "A", "rejected": "B", "system": "S"},
        {"input": "Q", "chosen": "A", "rejected": "B"},
        {"instruction": "Q", "chosen_response": "A", "rejected_response": "B"},
        {"prompt": "Q", "chosen_response": "A", "rejected_response": "B"},
        {"question": "Q", "completion": "A"},
        {"instruction": "Q", "completion": "A"},
        {"messages": [Q], "chosen": A, "rejected": B},
        {"segments": [{"label": False, "text": "Q"}, {"label": True, "text": "A"}]},
    ]


class TestInstruct(FormatConformance):
    name = "instruct"
    rows = [
        {"instruction": "Q", "input": "I", "response": "A"},
        {"INSTRUCTION": "Q", "RESPONSE": "A"},
        {"question": "Q", "choices": ["A", "B"], "solution": "A"},
    ]


class TestGemini(FormatConformance):
    name = "gemini"
    rows = [
        {"contents": [U, M], "systemInstruction": {"parts": [{"text": "S"}]}},
        {
            "contents": [U],
            "completions": [{"score": 1, "completion": M}, {"score": 0, "completion": W}],
        },
    ]


class TestTree(FormatConformance):
    name = "tree"
    rows = [
        {"prompt": TREE},
        TREE,
        {"prompt": "Q", "answers": [{"answer": "A", "rank": 1}, {"answer": "B", "rank": 2}]},
    ]
