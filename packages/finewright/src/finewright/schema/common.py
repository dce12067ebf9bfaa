"""Leaf types shared by every spec and report, and the way a default carries its reason."""

from collections.abc import Container, Iterable, Mapping
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field

K = TypeVar("K")
V = TypeVar("V")


class Model(BaseModel):
    """A frozen record that refuses unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)


class StoredModel(Model):
    """A record some of whose fields have another key in JSON (their `alias`), as older reports have it."""

    model_config = ConfigDict(serialize_by_alias=True, validate_by_name=True)


def default(value: Any, what: str, why: str, **constraints: Any) -> Any:
    """A spec field with its meaning and the reason of its default.

    `plan` and the lock file print the reason; editors show both through the JSON Schema."""
    return Field(value, description=what, json_schema_extra={"default_reason": why}, **constraints)


def default_reasons(model: type[BaseModel]) -> Mapping[str, str]:
    """Field name -> why its default is what it is, for the fields that state it."""
    reasons = {}
    for name, field in model.model_fields.items():
        extra = field.json_schema_extra
        if isinstance(extra, dict) and "default_reason" in extra:
            reasons[name] = str(extra["default_reason"])
    return reasons


class Problem(Model):
    """Something a check found. Rows count from 1; `key` is a dotted path; `hint` is the mend."""

    level: Literal["error", "warning", "info"]
    message: str
    hint: str = ""
    file: str = ""
    row: int | None = None
    key: str = ""

    def line(self) -> str:
        """`file:row: key: message (hint)`, leaving out what is empty."""
        where = f"{self.file}:{self.row}" if self.row is not None else self.file
        parts = [part for part in (where, self.key) if part]
        text = ": ".join([*parts, self.message])
        return f"{text} ({self.hint})" if self.hint else text


def without(data: Mapping[K, V], keys: Container[K]) -> dict[K, V]:
    """The data but for these keys, in their order."""
    return {key: value for key, value in data.items() if key not in keys}


def errors_of(problems: Iterable[Problem]) -> list[Problem]:
    """Those of the problems that are errors, which stop what warnings do not."""
    return [problem for problem in problems if problem.level == "error"]


def check_sum(whole: int, *parts: int, what: str = "rows") -> None:
    """Raise ValueError where the parts are not the whole: something was lost and not counted."""
    if whole != sum(parts):
        raise ValueError(f"{what} were lost: the counts do not add up")


class Artifact(Model):
    """A file of a run: path relative to the run folder, what it is, and its digest."""

    path: str
    kind: str
    sha256: str
    bytes: int


class Source(Model):
    """Where training data came from, and under which licence it may be used."""

    path: str
    sha256: str = ""
    license: str = "unknown"
    owner: str = "unknown"


class RowCounts(Model):
    """What became of the rows that were read: read = kept + dropped, and truncated are among the kept."""

    rows_in: int
    rows_kept: int
    rows_truncated: int = 0
    rows_dropped: dict[str, int] = Field(default_factory=dict)
