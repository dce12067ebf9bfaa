"""The run's spec that a hosted job becomes, with the reason of each value beside it."""

import json
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal, NamedTuple

from finewright.catalog.models import read_packaged_models
from finewright.errors import SpecError
from finewright.evaluate.score import check_metrics
from finewright.lm.sources import check_name, config_here
from finewright.report.columns import printable
from finewright.schema.load import LoadedSpec, load_spec
from finewright.store.stage import refuse
from finewright.train.support import find_unsupported
from finewright.workbench.coherence import incoherent, of_sections
from finewright_bridge.migrate.fit import GOLDEN, TRAIN
from finewright_bridge.migrate.job import key_of
from finewright_bridge.migrate.report import Carried

_TOKENS_STEP = 16
_TRAIN = "train."


class Destination(NamedTuple):
    """What is trained, by which method, and how its answers are measured; `longest_answer` is in bytes, of
    the old and the right ones."""

    name: str
    base_model: str
    method: Literal["sft", "dpo"]
    metrics: tuple[str, ...]
    longest_answer: int


def spec_text(to: Destination, settings: Sequence[Carried]) -> str:
    """The spec as YAML. What the job left open, or has no counterpart, keeps finewright's own default."""
    tokens = max(1, -(-to.longest_answer // _TOKENS_STEP)) * _TOKENS_STEP
    lines = [
        "# Written by `finewright migrate openai`, anew each time: change values with --set.",
        "version: 1",
        f"name: {to.name}",
        f"base_models: [{json.dumps(_from_anywhere(to.base_model))}]",
        "data:",
        "  sources:",
        f"    - {{path: {TRAIN}}}  # the training files without what a golden prompt is near",
        "train:",
        f"  method: {to.method}",
        *(_line(setting) for setting in settings if _is_carried(setting)),
        *(_comment(setting) for setting in settings if not setting.key),
        "evaluate:",
        f"  data: [{{path: {GOLDEN}, name: golden}}]  # it expects the old model's answers",
        f"  metrics: {json.dumps(list(to.metrics))}",
        f"  max_new_tokens: {tokens}  # the longest old or right answer has {to.longest_answer} bytes, and"
        " a token is at least one",
    ]
    return "\n".join(lines) + "\n"


def check_spec(text: str, path: Path, overrides: Sequence[str]) -> LoadedSpec:
    """The spec as it will be read; `path` is where it is going to be, and nothing is written there.

    Raises SpecError, ModelError or another of our errors for what is wrong with the spec and its overrides,
    whatever the rows are."""
    with tempfile.TemporaryDirectory(prefix="finewright-") as folder:
        draft = Path(folder) / path.name
        draft.write_text(text, encoding="utf-8")
        try:
            loaded = load_spec(draft, overrides)
        except SpecError as error:
            raise SpecError(str(error).replace(str(draft), str(path)), hint=error.hint) from None
    loaded = replace(loaded, path=path)
    problems = [*incoherent(loaded.spec), *of_sections(loaded.spec)]
    for name in loaded.spec.base_models:
        check_name(name, path.parent)
        problems += find_unsupported(loaded.spec.train, config_here(name, path.parent))
    refuse([loaded.locate(problem) for problem in problems])
    check_metrics(loaded.spec.evaluate.metric_names)
    return loaded


def as_set(settings: Sequence[Carried], overrides: Sequence[str]) -> tuple[Carried, ...]:
    """The job's settings as they are used: where --set names the key, its value and not the job's."""
    values = {key.strip(): value.strip() for key, _, value in (o.partition("=") for o in overrides)}
    return tuple(
        each.model_copy(update={"key": key, "becomes": values[key], "why": f"{each.why}; set here"})
        if (key := each.key or key_of(each.setting)) in values
        else each
        for each in settings
    )


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
    is_here = name not in read_packaged_models() and path.exists()
    return str(path.resolve()) if is_here else name
