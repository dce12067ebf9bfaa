"""What a sampled answer is worth: the functions of `train.rewards`, and their weighted sum."""

import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, NamedTuple

from finewright import plugins
from finewright.errors import FinewrightError, SpecError, StageError, StoreError
from finewright.judge.answer import Answer, Call, answer_of
from finewright.judge.calls import AnswerScorer, Due, due_of
from finewright.judge.json_schema import JsonSchema, read_schema
from finewright.judge.patterns import Regex
from finewright.judge.text import valid_json
from finewright.judge.user_function import (
    Resolve,
    UserFunction,
    check_user_function,
    read_user_function,
)
from finewright.schema.common import Problem
from finewright.schema.rewards import TOOL_KINDS, RewardSpec
from finewright.schema.train import Candidate, TrainReport
from finewright.schema.train_section import settings_of
from finewright.store.rundir import RunDir, open_run

Columns = Mapping[str, Any]  # Any: what a row's JSON holds
Comparison = Callable[[str, str], float]
"""What an answer is worth beside the text of a row's column: a plugin of the kind `reward`."""


@dataclass(frozen=True, slots=True)
class PolicyAnswer:
    """An answer of the policy's, the conversation before it, its row's columns; did it end by itself?

    `text` is what follows the thoughts or, where the row expects calls, the calls as one JSON text. `said` is
    the whole answer, and `tools` what it could call."""

    text: str
    messages: tuple[Mapping[str, Any], ...]  # Any: OpenAI's message form
    columns: Columns
    stopped: bool
    said: Answer | None = None
    tools: tuple[Mapping[str, Any], ...] | None = None


def turn_of_answer(answered: PolicyAnswer) -> dict[str, Any]:  # Any: OpenAI's message form
    """The answer as a message: its content and its calls, without thoughts."""
    said = answered.said or Answer(answered.text)
    calls = [
        {"type": "function", "function": {"name": call.name, "arguments": call.arguments}}
        for call in said.calls
    ]
    return {
        "role": "assistant",
        "content": said.content,
        **({"tool_calls": calls} if calls else {}),
    }


def read_expected_calls(column: Any) -> tuple[Call, ...]:  # Any: free JSON
    """The calls that a row's column spells: a list, or JSON text of one; none where it is empty.

    Raises StageError for anything else."""
    unread = StageError(
        f"expected calls cannot be read: {str(column)[:60]!r}",
        hint='write them as [{"name": ..., "arguments": {...}}]',
    )
    try:
        value = json.loads(column) if isinstance(column, str) and column.strip() else column
        calls = [{"function": call.get("function", call)} for call in value or ()]
        found = answer_of({"tool_calls": calls})
    except (ValueError, TypeError, AttributeError, KeyError):
        raise unread from None
    if found.fault:
        raise unread
    return found.calls


Judge = Callable[[Sequence[PolicyAnswer]], Sequence[float]]
"""What each answer is worth to one reward function."""


class ScoredAnswers(NamedTuple):
    """Each answer's weighted sum, and each function's mean, unweighted, under `reward/<name>`."""

    totals: list[float]
    means: dict[str, float]


class Reward(NamedTuple):
    """One function with its weight in the sum; `name` tells it apart from the others."""

    name: str
    weight: float
    judge: Judge


@dataclass(frozen=True, slots=True)
class Rewards:
    """All functions that judge the answers of a run."""

    parts: tuple[Reward, ...]

    def score(self, answers: Sequence[PolicyAnswer]) -> ScoredAnswers:
        """What the answers are worth. Raises StageError for a row without its column, or no finite number."""
        totals, means = [0.0] * len(answers), {}
        for name, weight, judge in self.parts:
            values = judge(answers)
            for i, value in enumerate(values):
                if not math.isfinite(value):
                    raise StageError(f"reward {name} gave {value} for {answers[i].text[:60]!r}")
                totals[i] += weight * value
            means[f"reward/{name}"] = math.fsum(values) / len(answers)
        return ScoredAnswers(totals, means)


def build(
    specs: Sequence[RewardSpec], resolve: Resolve, load_reward_model: Callable[[Path], Judge]
) -> Rewards:
    """The functions, ready to judge; runs a python file when its consent names it.

    Raises SpecError for the first that cannot be made. `load_reward_model` gets the folder of a run."""
    parts = []
    for i, (name, spec) in enumerate(zip(_names(specs), specs, strict=True)):
        try:
            judge = _judge(spec, resolve, load_reward_model)
        except SpecError as error:
            raise SpecError(f"train.rewards.{i}: {error}", hint=error.hint) from None
        parts.append(Reward(name, spec.weight, judge))
    return Rewards(tuple(parts))


def check(specs: Sequence[RewardSpec], rows: Iterable[Columns], resolve: Resolve) -> list[Problem]:
    """All that can be said against the rewards without torch, and without running the user's code."""
    columns = list(rows)
    problems = []
    for i, spec in enumerate(specs):
        key = f"train.rewards.{i}"
        try:
            _check_made(spec, resolve)
        except FinewrightError as error:
            problems.append(Problem(level="error", key=key, message=str(error), hint=error.hint))
            if spec.kind == "plugin":
                continue
        problems += _check_unread(spec, key)
        if spec.kind in TOOL_KINDS:
            problems += _check_calls(spec, f"{key}.column", columns)
        elif _needs_column(spec):
            problems += _check_column(spec, f"{key}.column", columns)
    return problems


def _names(specs: Sequence[RewardSpec]) -> list[str]:
    """Their kind, a python function's own name; from the second one of a name on, with its number."""
    names: list[str] = []
    for spec in specs:
        name = spec.argument.rpartition(":")[2] if spec.kind == "python" else spec.plugin
        number = 2
        unique = name
        while unique in names:
            unique, number = f"{name}_{number}", number + 1
        names.append(unique)
    return names


def _judge(spec: RewardSpec, resolve: Resolve, load_reward_model: Callable[[Path], Judge]) -> Judge:
    if spec.kind == "python":
        return _by_function(read_user_function(spec.argument, resolve, consent=spec.consent))
    if spec.kind == "reward_model":
        return load_reward_model(_run_folder(spec, resolve))
    if spec.kind in TOOL_KINDS:
        return _calling(spec)
    if _needs_column(spec):
        return _compare_with(_comparison(spec), spec.column)
    return _alone(_verdict(spec, resolve))


def _comparison(spec: RewardSpec) -> Comparison:
    if spec.kind == "json_schema":
        schema_of = lru_cache(maxsize=256)(JsonSchema)
        return lambda text, schema: schema_of(schema)(text)
    comparison: Comparison = plugins.resolve("reward", spec.plugin)
    return comparison


def _verdict(spec: RewardSpec, resolve: Resolve) -> Callable[[str], float]:
    if spec.kind == "valid_json":
        return lambda text: valid_json(text, "")
    if spec.kind == "regex":
        return Regex(spec.argument)
    return read_schema(resolve(spec.argument))


def _compare_with(verdict: Comparison, column: str) -> Judge:
    return lambda answers: [verdict(a.text, _read_expected(a.columns, column)) for a in answers]


def _alone(verdict: Callable[[str], float]) -> Judge:
    return lambda answers: [verdict(answered.text) for answered in answers]


def _calling(spec: RewardSpec) -> Judge:
    """The scorer of that name; where it has nothing to say, nothing is earned."""
    scorer: AnswerScorer = plugins.resolve("scorer", spec.kind)

    def judge(answers: Sequence[PolicyAnswer]) -> list[float]:
        return [scorer.score(a.said or Answer(a.text), _due(a, spec)) or 0.0 for a in answers]

    return judge


def _due(answered: PolicyAnswer, spec: RewardSpec) -> Due:
    calls = read_expected_calls(answered.columns.get(spec.compared_column))
    return due_of(Answer("", calls=calls), answered.tools, answered.columns)


def _by_function(function: UserFunction) -> Judge:
    def judge(answers: Sequence[PolicyAnswer]) -> list[float]:
        return [
            function(a.text, {**a.columns, "messages": [dict(m) for m in a.messages]})
            for a in answers
        ]

    return judge


def _check_made(spec: RewardSpec, resolve: Resolve) -> None:
    """Raise what `_judge` would, short of running the user's code or loading a model."""
    if spec.kind == "python":
        check_user_function(spec.argument, resolve, consent=spec.consent)
    elif spec.kind == "reward_model":
        _run_folder(spec, resolve)
    elif spec.kind == "plugin":
        _comparison(spec)
    elif not _needs_column(spec) and spec.kind not in TOOL_KINDS:
        _verdict(spec, resolve)


def _run_folder(spec: RewardSpec, resolve: Resolve) -> Path:
    folder = resolve(spec.argument)
    hint = "train one with train.method: reward"
    try:
        rating_candidate(open_run(folder))
    except StoreError as error:
        raise SpecError(str(error), hint=hint) from None
    return folder


def rating_candidate(run: RunDir) -> Candidate:
    """The one reward model that a run trained. Raises StoreError when it trained something else."""
    trained = run.read_report("train", TrainReport).candidates
    if len(trained) > 1 or settings_of(trained[0].method).gives_answers:
        what = f"{len(trained)} base models" if len(trained) > 1 else f"by {trained[0].method}"
        raise StoreError(
            f"{run.root}: this run trained {what}, and a reward is one reward model",
            hint="name a run of train.method reward",
        )
    return trained[0]


def _needs_column(spec: RewardSpec) -> bool:
    is_compared = spec.kind == "plugin" or spec.kind in plugins.BUILTIN["reward"]
    return is_compared or (spec.kind == "json_schema" and not spec.argument)


def _read_expected(columns: Columns, column: str) -> str:
    """What a row's column holds, as text; anything but a string as JSON. A null is as good as absent."""
    value = columns.get(column)
    if value is None:
        held = ", ".join(columns) or "none"
        raise StageError(f"a row has no {column!r} to reward by; its keys: {held}")
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _check_unread(spec: RewardSpec, key: str) -> list[Problem]:
    """Keys that are written and that this function does not read."""
    is_column_read = spec.kind in TOOL_KINDS or _needs_column(spec)
    unread = {"column": not is_column_read, "consent": spec.kind != "python"}
    return [
        Problem(
            level="error",
            key=f"{key}.{name}",
            message=f"{spec.kind} does not read it",
            hint="leave it out",
        )
        for name, is_unread in unread.items()
        if is_unread and getattr(spec, name) != RewardSpec.model_fields[name].default
    ]


def lacking(spec: RewardSpec, rows: Sequence[Columns]) -> list[int]:
    """The rows, counted from 0, that lack the column whose text the function compares answers with."""
    if not _needs_column(spec):
        return []
    return [i for i, row in enumerate(rows) if row.get(spec.column) is None]


def _check_column(spec: RewardSpec, key: str, rows: Sequence[Columns]) -> list[Problem]:
    missing = lacking(spec, rows)
    problems = []
    if missing:
        held = ", ".join(rows[missing[0]]) or "none"
        problems.append(
            Problem(
                level="error",
                key=key,
                message=f"{len(missing)} of {len(rows)} rows have no {spec.column!r},"
                f" first row {missing[0] + 1}",
                hint=f"its other keys: {held}",
            )
        )
    unfit = _unfit(spec, rows)
    if unfit:
        row, why = next(iter(unfit.items()))
        problems.append(
            Problem(
                level="error" if spec.kind == "json_schema" else "warning",
                key=key,
                message=f"in {len(unfit)} of {len(rows)} rows no answer can match {spec.column!r},"
                f" first row {row + 1}: {why}",
                hint="such rows teach nothing",
            )
        )
    return problems


def _check_calls(spec: RewardSpec, key: str, rows: Sequence[Columns]) -> list[Problem]:
    """Expected calls that cannot be read, and rows of which none expects any."""
    name = spec.compared_column
    for number, row in enumerate(rows, 1):
        try:
            read_expected_calls(row.get(name))
        except StageError as error:
            message = f"row {number}: {error}"
            return [Problem(level="error", key=key, message=message, hint=error.hint)]
    if spec.kind == "no_call" or not rows or any(row.get(name) for row in rows):
        return []
    message = f"no row has {name!r}, so {spec.kind} pays for calling nothing"
    hint = "an assistant turn that calls is taken for it; a prompt alone needs the column"
    return [Problem(level="warning", key=key, message=message, hint=hint)]


def _unfit(spec: RewardSpec, rows: Sequence[Columns]) -> dict[int, str]:
    """Row -> why no answer is ever right there."""
    why_of = lru_cache(maxsize=256)(partial(_why_unfit, spec))
    found = {}
    for i, row in enumerate(rows):
        if row.get(spec.column) is not None and (why := why_of(_read_expected(row, spec.column))):
            found[i] = why
    return found


def _why_unfit(spec: RewardSpec, expected: str) -> str:
    if spec.kind == "json_schema":
        try:
            JsonSchema(expected)
        except SpecError as error:
            return str(error)
        return ""
    # What is not even right by itself holds no number, or is no JSON.
    is_right = _comparison(spec)(expected, expected)
    return "" if is_right else f"{spec.plugin} finds nothing in {expected[:60]!r}"
