"""The run's spec that a hosted job becomes, with the reason of each value beside it."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, NamedTuple

from finewright.catalog.models import packaged_models
from finewright.render.text import printable
from finewright.schema.migrate import Carried
from finewright.workbench.migrate.golden import FILE

_LEAST_TOKENS, _MOST_TOKENS = 32, 4096
_BYTES_A_TOKEN = 2
_TRAIN = "train."


class Destination(NamedTuple):
    """What is trained, by which method, and how its answers are measured."""

    name: str
    base_model: str
    method: Literal["sft", "dpo"]
    metrics: tuple[str, ...]
    longest_answer: int


def spec_text(to: Destination, settings: Sequence[Carried]) -> str:
    """The spec as YAML. What the job left open, or has no counterpart, keeps finewright's own default."""
    tokens = min(_MOST_TOKENS, max(_LEAST_TOKENS, to.longest_answer // _BYTES_A_TOKEN))
    lines = [
        "# Written by `finewright migrate openai`, anew each time: change values with --set.",
        "version: 1",
        f"name: {to.name}",
        f"base_models: [{json.dumps(_from_anywhere(to.base_model))}]",
        "data:",
        "  sources:",
        "    - {path: train.jsonl}  # the training files without what a golden prompt is near",
        "train:",
        f"  method: {to.method}",
        *(_line(setting) for setting in settings if _is_carried(setting)),
        *(_comment(setting) for setting in settings if not setting.key),
        "evaluate:",
        f"  data: [{{path: {FILE}, name: golden}}]  # it expects the old model's answers",
        f"  metrics: {json.dumps(list(to.metrics))}",
        f"  max_new_tokens: {tokens}  # the longest of the old answers has {to.longest_answer} bytes",
    ]
    return "\n".join(lines) + "\n"


def _is_carried(setting: Carried) -> bool:
    return setting.key.startswith(_TRAIN) and setting.key != "train.method"


def _line(setting: Carried) -> str:
    key = setting.key.removeprefix(_TRAIN)
    return f"  {key}: {setting.becomes}  # {setting.setting}: {setting.why}"


def _comment(setting: Carried) -> str:
    """A setting without a counterpart; a text of the job cannot end the comment."""
    return printable(f"  # {setting.setting}: {setting.value or '-'}: {setting.why}")


def _from_anywhere(name: str) -> str:
    """The name as it leads to the same model from the spec's own folder."""
    path = Path(name).expanduser()
    is_here = name not in packaged_models() and path.exists()
    return str(path.resolve()) if is_here else name
