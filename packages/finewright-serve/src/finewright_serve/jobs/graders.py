"""What answers are worth to `reinforcement` and `ppo`: our rewards, or the graders of OpenAI that are one.

Refused is whatever would run a client's code, open a path or ask another service."""

import re
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from finewright.errors import SpecError
from finewright.judge.patterns import compile_pattern
from finewright.schema.rewards import RewardSpec
from finewright_serve.gateway.errors import ApiError, unsupported
from finewright_serve.jobs.ids import is_id

_COLUMN = re.compile(r"\{\{\s*item\.([\w-]+)\s*\}\}")
_SAMPLE = re.compile(r"\{\{\s*sample\.output_text\s*\}\}")
_WHY_NOT = {
    "python": "code that a client sends never runs here",
    "score_model": "no other model is asked; train a reward model (method.type reward)",
    "label_model": "no other model is asked; train a reward model (method.type reward)",
    "text_similarity": "rewards has json_f1, mentions and others",
    "multi": "rewards is a list whose items have a weight each",
    "endpoint": "nothing that a request names is fetched",
}


def rewards_of(
    section: Mapping[str, Any], where: str, *, needed: bool, runs: Mapping[str, str]
) -> dict[str, Any]:
    """`rewards` of the spec's section, of a method's object; nothing for methods that take none.

    `runs`: id of a job that trained a reward model -> its run. Raises ApiError."""
    given = [key for key in ("rewards", "grader") if section.get(key) is not None]
    if not needed:
        if given:
            param = f"{where}.{given[0]}"
            raise ApiError(f"unknown parameter: {param}", param=param, code="unknown_parameter")
        return {}
    if len(given) != 1:
        what = f"{where}: says with `grader` or with `rewards` what answers are worth, and needs one of them"
        raise ApiError(what, param=f"{where}.grader", code="invalid_value")
    param = f"{where}.{given[0]}"
    if given == ["grader"]:
        return {"rewards": [_graded(section["grader"], param)]}
    rewards = section["rewards"]
    if not isinstance(rewards, list) or not rewards:
        raise ApiError(f"{param}: must be a list of rewards", param=param, code="invalid_value")
    return {"rewards": [_reward(item, f"{param}.{i}", runs) for i, item in enumerate(rewards)]}


def _graded(grader: Any, param: str) -> dict[str, Any]:  # Any: JSON
    """A string_check for equality with a column of the row is the reward `exact`."""
    if not isinstance(grader, dict):
        raise ApiError(f"{param}: must be an object", param=param, code="invalid_value")
    kind = str(grader.get("type"))
    if kind != "string_check":
        raise unsupported(f"{param}.type", _WHY_NOT.get(kind, "only string_check is known"))
    for key in grader:
        if key not in ("type", "name", "input", "reference", "operation"):
            name = f"{param}.{key}"[:200]
            raise ApiError(f"unknown parameter: {name}", param=name, code="unknown_parameter")
    if grader.get("operation") != "eq":
        raise unsupported(f"{param}.operation", "only eq; rewards has mentions and regex:PATTERN")
    column = _COLUMN.fullmatch(str(grader.get("reference")))
    if column is None or not _SAMPLE.fullmatch(str(grader.get("input"))):
        why = "input must be {{sample.output_text}}, and reference {{item.COLUMN}}"
        raise unsupported(f"{param}.input", why)
    return {"function": "exact", "column": column[1]}


def _reward(item: Any, param: str, runs: Mapping[str, str]) -> dict[str, Any]:  # Any: JSON
    try:
        spec = RewardSpec.model_validate({"function": item} if isinstance(item, str) else item)
    except ValidationError as error:
        what = error.errors(include_url=False)[0]["msg"].removeprefix("Value error, ")
        raise ApiError(f"{param}: {what}", param=param, code="invalid_value") from None
    if spec.kind == "python" or spec.consent:
        raise unsupported(param, _WHY_NOT["python"])
    if spec.kind == "regex":
        _refuse_pattern(spec.argument, param)
    if spec.kind == "json_schema" and spec.argument:
        raise unsupported(
            param, "no file that a request names is opened; a column can hold the schema"
        )
    if spec.kind == "reward_model":
        if not is_id("ftjob", spec.argument) or spec.argument not in runs:
            what = f"{param}: reward_model:JOB names a job that trained a reward model"
            raise ApiError(what, param=param, code="invalid_value")
        return {**_plain(spec), "function": f"reward_model:{runs[spec.argument]}"}
    return _plain(spec)


def _refuse_pattern(pattern: str, param: str) -> None:
    """Raise ApiError for one that the job could not match in time that grows with the answer alone."""
    try:
        compile_pattern(pattern)
    except SpecError as error:
        hint = f"; {error.hint}" if error.hint else ""
        raise ApiError(f"{param}: {error}{hint}", param=param, code="invalid_value") from None


def _plain(spec: RewardSpec) -> dict[str, Any]:
    return spec.model_dump(exclude_unset=True)
