"""What llama.cpp makes of a GGUF file, asked in a process of its own."""

import json
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from finewright.errors import ModelError
from finewright.lm.llamacpp.server import COMMAND, reason_of
from finewright_bridge.export.parity import GreedyAnswer, Prompt

_SECONDS = 3600


class LlamaAnswers(NamedTuple):
    """Answers to prompts, the tokens that each conversation and each text becomes, and the version."""

    answers: list[GreedyAnswer]
    conversations: list[tuple[int, ...]]
    tokens: list[tuple[int, ...]]
    version: str


def ask_llamacpp(
    model: Path,
    adapter: Path | None,
    prompts: Sequence[Prompt],
    conversations: Sequence[Mapping[str, Any]],
    *,
    max_new_tokens: int,
) -> LlamaAnswers:
    """Raises ModelError where llama.cpp cannot read the file, with its own words."""
    longest = max(len(prompt.ids) for prompt in prompts)
    given = {
        "model": str(model),
        "adapter": str(adapter or ""),
        "context": longest + max_new_tokens + 8,
        "threads": 1,  # two that wait for each other on a busy machine are many times slower
        "prompts": [prompt.ids for prompt in prompts],
        "texts": [prompt.text for prompt in prompts],
        "conversations": conversations,
        "max_new_tokens": max_new_tokens,
    }
    try:
        done = subprocess.run(
            COMMAND,
            input=json.dumps(given),
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise ModelError(
            f"{model.name}: llama.cpp gave no answer in {_SECONDS // 60} minutes",
            hint="ask less of it: --prompts 10 --max-new-tokens 16",
        ) from None
    last = done.stdout.strip().rpartition("\n")[2]
    if done.returncode != 0 or not last.startswith("{"):
        raise ModelError(f"{model.name}: llama.cpp cannot run it: {reason_of(done.stderr)}")
    found = json.loads(last)
    return LlamaAnswers(
        answers=[_answer(each) for each in found["answers"]],
        conversations=[tuple(ids) for ids in found["conversations"]],
        tokens=[tuple(ids) for ids in found["tokens"]],
        version=str(found["version"]),
    )


def _answer(given: Mapping[str, Any]) -> GreedyAnswer:
    logps = None if given["logps"] is None else tuple(given["logps"])
    return GreedyAnswer(tuple(given["ids"]), given["stop_id"], logps)
