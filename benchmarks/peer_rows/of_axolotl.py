"""What Axolotl's own strategies make of the JSONL files of a folder, each named after one of them; run by
the Python that has it: `python of_axolotl.py FOLDER TOKENIZER`. Prints a line of JSON a file."""

import importlib
import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from turns import turns_of  # beside this script, which a peer's own Python runs

Row = dict[str, Any]
_TURN = re.compile(r"<\|im_start\|>(\w+)\n(.*?)<\|im_end\|>", re.DOTALL)
_FIELDS = {
    "alpaca": "prompt_tokenizers:AlpacaPromptTokenizingStrategy",
    "gpteacher": "prompt_tokenizers:GPTeacherPromptTokenizingStrategy",
    "oasst": "prompt_tokenizers:OpenAssistantPromptTokenizingStrategy",
    "summarizetldr": "prompt_tokenizers:SummarizeTLDRPromptTokenizingStrategy",
    "jeopardy": "prompt_tokenizers:JeopardyPromptTokenizingStrategy",
    "explainchoice": "prompt_tokenizers:AlpacaMultipleChoicePromptTokenizingStrategy",
    "nomic_gpt4all": "prompt_tokenizers:NomicGPT4AllPromptTokenizingStrategy",
    "alpaca_w_system": "prompt_strategies.alpaca_w_system:InstructionWSystemPromptTokenizingStrategy",
    "open_orca": "prompt_strategies.alpaca_w_system:OpenOrcaPromptTokenizingStrategy",
    "load_qa": "prompt_strategies.alpaca_chat:AlpacaQAPromptTokenizingStrategy",
    "camel_ai": "prompt_strategies.alpaca_chat:CamelAIPromptTokenizingStrategy",
    "context_qa": "prompt_strategies.context_qa:AlpacaContextPromptTokenizingStrategy",
    "metharme": "prompt_strategies.metharme:MetharmePromptTokenizingStrategy",
}


def main() -> None:
    folder = Path(sys.argv[1])
    for path in sorted(folder.glob("*.jsonl")):
        rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        make = converter(path.stem)
        print(json.dumps({"name": path.stem, "rows": [_made(make, row) for row in rows]}))


def _made(make: Callable[[Row], Row], row: Row) -> Row:
    try:
        return make(row)
    except Exception as error:
        return {"skipped": f"{type(error).__name__}: {error}"}


def converter(name: str) -> Callable[[Row], Row]:
    if name in _FIELDS:
        return _of_fields(_FIELDS[name])
    kind, _, style = name.partition("-")
    if kind in ("dpo", "kto"):
        return _of_texts(kind, style)
    return {"chat": _of_chat, "input_output": _of_segments}[kind](style)


def _of_fields(place: str) -> Callable[[Row], Row]:
    module, _, name = place.partition(":")
    strategy = getattr(importlib.import_module(f"axolotl.{module}"), name)

    def made(row: Row) -> Row:
        instruction, given, answer, *system = strategy.parse_instruction_fields(None, row)
        turns = [("system", system[0])] if system and system[0] else []
        asked = f"{instruction}\n{given}" if given else instruction
        return _conversation([*turns, ("user", asked), ("assistant", answer)])

    return made


def _conversation(
    turns: list[tuple[str, str]], rejected: str | None = None, label: Any = None
) -> Row:
    return {"turns": turns, "rejected": rejected, "label": label, "tools": None}


def _of_texts(kind: str, style: str) -> Callable[[Row], Row]:
    """The strategies that write ChatML: what they wrote, read back."""
    module = importlib.import_module(f"axolotl.prompt_strategies.{kind}.chatml")
    transform = getattr(module, style)({})

    def made(row: Row) -> Row:
        out = transform(dict(row))
        prompt = [(role, text) for role, text in _TURN.findall(out["prompt"])]
        answer = out["chosen"] if kind == "dpo" else out["completion"]
        turns = [*prompt, ("assistant", answer.removesuffix("<|im_end|>"))]
        rejected = out["rejected"].removesuffix("<|im_end|>") if kind == "dpo" else None
        return _conversation(turns, rejected, out.get("label"))

    return made


def _of_chat(style: str) -> Callable[[Row], Row]:
    from axolotl.prompt_strategies.chat_template import load
    from axolotl.utils.dict import DictDefault
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(sys.argv[2])
    # The template of Qwen 2.5 has calls; that of ChatML would drop them.
    about: Row = {
        "type": "chat_template",
        "chat_template": "qwen_25",
        "message_field_training": "train",
    }
    if style == "from_value":
        about |= {
            "field_messages": "conversations",
            "message_property_mappings": {"role": "from", "content": "value"},
        }
    cfg = DictDefault({"sequence_len": 4096, "train_on_inputs": False, "chat_template": "qwen_25"})
    strategy = load(tokenizer, cfg, ds_cfg=DictDefault(about))

    def made(row: Row) -> Row:
        turns = strategy.get_conversation_thread(row)
        made = _conversation([turn for message in turns for turn in turns_of(message)])
        made["tools"] = sorted(t["function"]["name"] for t in strategy._get_tools(row) or ())
        made["learned"] = [bool(t.get("training", True)) for t in turns if t["role"] == "assistant"]
        return made

    return made


def _of_segments(_: str) -> Callable[[Row], Row]:
    def made(row: Row) -> Row:
        turns = [("assistant" if s["label"] else "user", s["text"]) for s in row["segments"]]
        return _conversation(turns)

    return made


if __name__ == "__main__":
    main()
