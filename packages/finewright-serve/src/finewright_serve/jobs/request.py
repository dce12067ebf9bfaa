"""What a client asks for when it creates a job: OpenAI's body, every key honoured or refused."""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from finewright.schema.aliases import close_choice
from finewright.schema.train import Takes, TrainSettings
from finewright.schema.train_section import METHODS
from finewright_serve.gateway.errors import ApiError, unsupported
from finewright_serve.jobs.graders import rewards_of

_OPENAI_NAMES = {"supervised": "sft", "reinforcement": "grpo"}
NOT_BY_JOB = frozenset({"distill", "gkd", "linear", "labels", "label_text"})
"""Not by a job: a teacher is a model of this machine, and a model of labels does not chat."""
METHOD_TYPES: Mapping[str, str] = {
    **_OPENAI_NAMES,
    **{name: name for name in METHODS if name not in {*_OPENAI_NAMES.values(), *NOT_BY_JOB}},
}
"""`method.type` -> our method."""
ROW_TYPES: Mapping[Takes, tuple[str, ...]] = {
    "conversations": ("messages", "prompt_completion"),
    "pairs": ("preference",),
    "judged answers": ("unpaired_preference", "preference"),
    "prompts": ("prompt_only", "messages", "prompt_completion", "preference"),
}
"""The shapes of rows that a method can take."""
_KEYS = {"n_epochs": "epochs", "eval_interval": "eval_steps"}
_NOT_OURS = {
    "compute_multiplier": "say how much is tried with num_generations",
    "eval_samples": "the whole validation file is looked at",
    "reasoning_effort": "a switch of the chat template, which a served base model has none of",
}
_NOT_SENT = "nothing goes to other services; metrics are in the events and the result file"
_LARGEST_MULTIPLE = 100
OPEN = ("auto", "default", None)
"""Values that leave a hyperparameter to finewright."""
_OWN_SECTION = {"method", "rewards", "seed"}
"""Keys of our settings that are no hyperparameters."""

_SUFFIX = r"^([A-Za-z0-9][A-Za-z0-9._-]{0,63})?$"


def _check_suffix(text: str) -> str:
    if not re.fullmatch(_SUFFIX, text):
        what = (
            "letters, digits, dots, dashes and underscores, 64 at most, the first a letter or digit"
        )
        raise ValueError(what)
    return text


Text64 = Annotated[str, Field(max_length=64)]
Suffix = Annotated[
    str, Field(json_schema_extra={"pattern": _SUFFIX}), AfterValidator(_check_suffix)
]
Free = dict[str, Any]  # Any: JSON that is looked at by hand


class JobRequest(BaseModel):
    """The body of POST /v1/fine_tuning/jobs."""

    model_config = ConfigDict(extra="forbid", strict=True)
    model: Annotated[str, Field(min_length=1, max_length=256)]
    training_file: Annotated[str, Field(max_length=256)]
    validation_file: Annotated[str, Field(max_length=256)] | None = None
    method: Free | None = None
    hyperparameters: Free | None = None
    seed: Annotated[int, Field(ge=0, lt=2**31)] | None = None
    suffix: Suffix | None = None
    metadata: (
        Annotated[dict[Text64, Annotated[str, Field(max_length=512)]], Field(max_length=16)] | None
    ) = None
    integrations: list[Any] | None = None


class MethodChoice(BaseModel):
    """A method with its settings: `train` is the section of a spec, `given` what the client wrote,
    `is_graded` whether the rewards of `train` are a `grader` of the client's."""

    model_config = ConfigDict(frozen=True)
    type: str
    train: Mapping[str, Any]  # Any: keys of the spec
    given: Mapping[str, Any]  # Any: JSON
    multiplier: float | None = None
    is_graded: bool = False

    @property
    def settings(self) -> TrainSettings:
        """The section as a run has it."""
        return METHODS[METHOD_TYPES[self.type]].model_validate(self.train)


def chosen_method(
    request: JobRequest, reward_runs: Callable[[], Mapping[str, str]]
) -> MethodChoice:
    """What the request wants trained how. `reward_runs` gives, where the method takes rewards, id of a job
    that trained a reward model -> its run.

    Raises ApiError that names the key which is unknown, wrong, or cannot be honoured."""
    if request.integrations:
        raise unsupported("integrations", _NOT_SENT)
    kind, section = _section(request)
    where = f"method.{kind}"
    _known(section, ("hyperparameters", "rewards", "grader", "response_format"), where)
    if section.get("response_format") is not None:
        raise unsupported(
            f"{where}.response_format", "answers are sampled freely; reward their form"
        )
    given = _object(section.get("hyperparameters"), f"{where}.hyperparameters")
    method = METHOD_TYPES[kind]
    train: Free = {"method": method}
    if request.seed is not None:
        train["seed"] = request.seed
    multiplier = None
    for name, value in given.items():
        if name == "learning_rate_multiplier" and value not in OPEN:
            multiplier = _positive(value, f"{where}.hyperparameters.{name}")
        elif value not in OPEN:
            train[_key(name, method, where)] = value
        elif name not in _NOT_OURS and name != "learning_rate_multiplier":
            _key(name, method, where)
    if multiplier is not None and "learning_rate" in train:
        what = "learning_rate and learning_rate_multiplier both set the rate; keep one"
        raise ApiError(what, param=f"{where}.hyperparameters", code="invalid_value")
    takes_rewards = "rewards" in METHODS[method].model_fields
    runs = reward_runs() if takes_rewards else {}
    train |= rewards_of(section, where, needed=takes_rewards, runs=runs)
    _validate(method, train, where)
    is_graded = section.get("grader") is not None
    return MethodChoice(
        type=kind, train=train, given=given, multiplier=multiplier, is_graded=is_graded
    )


def _section(request: JobRequest) -> tuple[str, Free]:
    """The type of the method and its own object."""
    if request.method is None:
        return "supervised", {"hyperparameters": request.hyperparameters}
    if request.hyperparameters is not None:
        what = (
            "hyperparameters: they belong into method.TYPE.hyperparameters, where a method is named"
        )
        raise ApiError(what, param="hyperparameters", code="invalid_value")
    kind = request.method.get("type")
    if not isinstance(kind, str) or kind not in METHOD_TYPES:
        known = ", ".join(METHOD_TYPES)
        meant = close_choice(kind, list(METHOD_TYPES)) if isinstance(kind, str) else ""
        what = f"method.type: one of {known}{meant}"
        raise ApiError(what, param="method.type", code="invalid_value")
    _known(request.method, ("type", kind), "method")
    return kind, _object(request.method.get(kind), f"method.{kind}")


def _key(name: str, method: str, where: str) -> str:
    """Our key of a hyperparameter."""
    param = f"{where}.hyperparameters.{name}"[:200]
    if name in _NOT_OURS:
        raise unsupported(param, _NOT_OURS[name])
    key = _KEYS.get(name, name)
    if key not in METHODS[method].model_fields or key in _OWN_SECTION or name in _KEYS.values():
        meant = close_choice(name, _hyperparameters(method))
        what = f"unknown parameter: {param}{meant}"
        raise ApiError(what, param=param, code="unknown_parameter")
    return key


def _hyperparameters(method: str) -> list[str]:
    """The names that clients may give."""
    ours = set(METHODS[method].model_fields) - _OWN_SECTION - set(_KEYS.values())
    return sorted({*ours, *_KEYS, "learning_rate_multiplier"})


def _validate(method: str, train: Free, where: str) -> None:
    for key, value in train.items():
        if not _is_finite(value):
            raise _wrong([key], "a number is too large", where)
    try:
        METHODS[method].model_validate_json(json.dumps(train), strict=True)
        METHODS[method].model_validate(train)  # JSON takes an integer that no float can hold
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise _wrong(first["loc"], first["msg"].removeprefix("Value error, "), where) from None


def _wrong(place: Sequence[int | str], what: str, where: str) -> ApiError:
    """The error of a place in our settings, by the client's names."""
    names = {ours: theirs for theirs, ours in _KEYS.items()}
    loc = [names.get(str(part), str(part)) for part in place]
    inner = loc if loc[:1] == ["rewards"] else ["hyperparameters", *loc]
    param = ".".join([where, *inner])
    return ApiError(f"{param}: {what}", param=param, code="invalid_value")


def _is_finite(value: Any) -> bool:  # Any: JSON
    """Whether no number in it is as 1e400, which the parser makes infinite and no answer can repeat."""
    try:
        json.dumps(value, allow_nan=False)
    except ValueError:
        return False
    return True


def _known(given: Mapping[str, Any], known: Sequence[str], where: str) -> None:
    for name in given:
        if name not in known:
            param = f"{where}.{name}"[:200]
            what = f"unknown parameter: {param}{close_choice(name, known)}"
            raise ApiError(what, param=param, code="unknown_parameter")


def _object(value: Any, param: str) -> Free:  # Any: JSON
    """The object; null is one without keys."""
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise ApiError(f"{param}: must be an object", param=param, code="invalid_value")
    return value


def _positive(value: Any, param: str) -> float:  # Any: JSON
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not 0 < value <= _LARGEST_MULTIPLE:
        what = f'{param}: must be "auto" or a number above 0, {_LARGEST_MULTIPLE} at most'
        raise ApiError(what, param=param, code="invalid_value")
    return float(value)
