"""OpenAI's fine-tuning job, as `GET /v1/fine_tuning/jobs/ID` gives it, and what it becomes in a run's spec.

https://platform.openai.com/docs/api-reference/fine-tuning/object. Of the settings, epochs, batch size, seed
and beta carry over as numbers; "auto" stays open and is chosen anew."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from finewright.errors import DataError
from finewright.store.atomic import os_errors
from finewright_bridge.migrate.report import Carried

_METHODS = {"supervised": "sft", "dpo": "dpo"}
_HYPERPARAMETERS = {
    "n_epochs": ("train.epochs", "passes over the rows"),
    "batch_size": ("train.batch_size", "rows of a step"),
    "beta": ("train.beta", "strength of the pull towards the reference"),
}
_NOT_A_NAME = re.compile(r"[^a-z0-9]+")
_LONGEST_NAME = 50


@dataclass(frozen=True, slots=True)
class Job:
    """The job's fields that say how it trained; `others` are the names of those that do not."""

    path: str
    model: str
    fine_tuned_model: str
    status: str
    method: str
    hyperparameters: Mapping[str, Any]  # Any: numbers or "auto"
    seed: int | None
    suffix: str
    validation_file: str
    trained_tokens: int | None
    others: tuple[str, ...]


def read_job(path: Path) -> Job:
    """The job in a file. Raises DataError for what is none, and for a method that cannot be carried over."""
    with os_errors(path):
        content = path.read_bytes()
    try:
        data = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path}: not readable JSON: {error}") from None
    if isinstance(data, dict) and data.get("object") == "list":
        raise DataError(f"{path}: a list of jobs", hint="save one of them, with its own file")
    if not isinstance(data, dict) or data.get("object") != "fine_tuning.job":
        raise DataError(
            f"{path}: object: not a fine-tuning job",
            hint="save what GET /v1/fine_tuning/jobs/ID answers",
        )
    return _Fields(str(path), data).job()


@dataclass(frozen=True, slots=True)
class _Fields:
    """The object, field by field; a field of another kind is a DataError that names it."""

    path: str
    data: Mapping[str, Any]  # Any: JSON

    def job(self) -> Job:
        method = self._object("method", self.data)
        kind = self._text("type", method, within="method.") or "supervised"
        if kind not in _METHODS:
            raise DataError(
                f"{self.path}: method.type: {kind!r} has no counterpart here",
                hint="its graders become `train.rewards` of method grpo, written by hand",
            )
        own = self._object("hyperparameters", self._object(kind, method, within="method."))
        given = own or self._object("hyperparameters", self.data)
        model = self._text("model", self.data)
        if not model:
            raise DataError(f"{self.path}: model: missing", hint="the job says what it trained")
        known = set(Job.__slots__) | {"object", "user_provided_suffix"}
        return Job(
            path=self.path,
            model=model,
            fine_tuned_model=self._text("fine_tuned_model", self.data),
            status=self._text("status", self.data),
            method=_METHODS[kind],
            hyperparameters={name: self._setting(name, value) for name, value in given.items()},
            seed=self._whole("seed"),
            suffix=self._text("user_provided_suffix", self.data) or self._text("suffix", self.data),
            validation_file=self._text("validation_file", self.data),
            trained_tokens=self._whole("trained_tokens"),
            others=tuple(
                k for k, v in self.data.items() if k not in known and v not in (None, [], {})
            ),
        )

    def _object(self, key: str, data: Mapping[str, Any], within: str = "") -> Mapping[str, Any]:
        value = data.get(key) or {}
        if not isinstance(value, dict):
            raise DataError(f"{self.path}: {within}{key}: must be an object")
        return value

    def _text(self, key: str, data: Mapping[str, Any], within: str = "") -> str:
        value = data.get(key) or ""
        if not isinstance(value, str):
            raise DataError(f"{self.path}: {within}{key}: must be a text")
        return value

    def _whole(self, key: str) -> int | None:
        value = self.data.get(key)
        if value is not None and (not isinstance(value, int) or isinstance(value, bool)):
            raise DataError(f"{self.path}: {key}: must be a whole number")
        return value

    def _setting(self, name: str, value: Any) -> Any:
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if value is not None and value != "auto" and not (is_number and value > 0):
            raise DataError(
                f'{self.path}: hyperparameters.{name}: must be a number above 0 or "auto"'
            )
        return value


def carry_settings(job: Job) -> Iterator[Carried]:
    """Each setting of the job, with the spec's key and value for it, or why it has none."""
    there = next(name for name, here in _METHODS.items() if here == job.method)
    yield _as_is("method", there, "train.method", job.method, "the same method")
    for name, value in job.hyperparameters.items():
        if value is not None:
            yield _hyperparameter(job.method, name, value)
    if job.seed is not None:
        why = "the same number; another model and another generator give another run"
        yield _as_is("seed", str(job.seed), "train.seed", str(job.seed), why)
    notes = {
        "validation_file": (
            job.validation_file,
            "its prompts are the golden set where --validation names the downloaded file",
        ),
        "trained_tokens": (
            job.trained_tokens,
            "what the hosted job was billed for, in tokens of another tokenizer",
        ),
        ", ".join(job.others): (job.others and "-", "says nothing of how the model was trained"),
    }
    for setting, (given, why) in notes.items():
        if given:
            yield Carried(setting=setting, value=str(given), why=why)


def key_of(setting: str) -> str:
    """The spec's key for what the job's setting is about, where there is one, carried or not."""
    if setting == "learning_rate_multiplier":
        return "train.learning_rate"
    return _HYPERPARAMETERS.get(setting, ("", ""))[0]


def _hyperparameter(method: str, name: str, value: float | str) -> Carried:
    key, what = _HYPERPARAMETERS.get(name, ("", ""))
    if name == "learning_rate_multiplier":
        why = "multiplies a rate that OpenAI does not publish"
    elif not key or (name == "beta" and method != "dpo"):
        why = "has no counterpart here"
    elif isinstance(value, str):
        why = "was chosen there, and no number is told"
    elif name == "batch_size" and not float(value).is_integer():
        why = "not a whole number of rows"
    else:
        number = str(int(value)) if float(value).is_integer() else str(value)
        return _as_is(name, number, key, number, what)
    return Carried(setting=name, value=str(value), why=why)


def _as_is(setting: str, value: str, key: str, becomes: str, why: str) -> Carried:
    return Carried(setting=setting, value=value, key=key, becomes=becomes, why=why)


def name_of(job: Job | None) -> str:
    """A run's name out of the job's suffix, or of its model."""
    named = "" if job is None else job.suffix or _suffix(job.fine_tuned_model) or job.model
    slug = _NOT_A_NAME.sub("-", named.lower()).strip("-")[:_LONGEST_NAME].strip("-")
    return f"{slug}-migrated" if slug else "migrated"


def _suffix(model: str) -> str:
    """`suffix` of `ft:model:org:suffix:id`."""
    parts = model.split(":")
    return parts[3] if len(parts) > 4 else ""  # noqa: PLR2004 - the places of the name


def family_of(model: str) -> str:
    """`gpt-4o-mini` of `ft:gpt-4o-mini-2024-07-18:org:suffix:id`: as end dates name it."""
    name = model.removeprefix("ft:").partition(":")[0]
    return re.sub(r"-\d{4}-\d{2}-\d{2}$", "", name)
