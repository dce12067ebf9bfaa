"""YAML text -> one section of the spec, of a file that holds a name and it alone or of a whole run spec.

Every complaint names file, line and key, by the same machinery as a run spec's."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar

from pydantic import BaseModel, Field, ValidationError, create_model

from finewright.errors import SpecError
from finewright.feature import sections
from finewright.schema.aliases import close_choice, keys_at
from finewright.schema.common import Model, default
from finewright.schema.explain import explain, group
from finewright.schema.load import (
    MOST_MISTAKES,
    LoadedSpec,
    load_spec,
    override,
    read_text,
    spec_error,
)
from finewright.schema.nodes import Loc, SpecNotes, Tree, ValuePlace, read
from finewright.schema.run import RUN_NAME

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

Spec = TypeVar("Spec", bound=BaseModel)

_BEYOND_TYPES = (
    "extra_forbidden",
    "value_error",
    "greater_than",
    "greater_than_equal",
    "less_than",
    "less_than_equal",
    "finite_number",
)
_OF_A_RUN = ("base_models", "data", "train", "evaluate")


@dataclass(frozen=True, slots=True)
class LoadedSection(Generic[Spec]):
    """A valid section, the name of its spec, and where everything stands."""

    key: str
    name: str
    spec: Spec
    path: Path
    notes: SpecNotes

    def resolve(self, path: str) -> Path:
        """Where a path in the spec leads: relative to the spec's folder, `~/` to the home."""
        return self.path.parent / (Path(path).expanduser() if path.startswith("~/") else path)

    def refuse(self, wrongs: Sequence[tuple[Loc, str]]) -> None:
        """Raise SpecError with a line for each (key below the section's, what is wrong), if there is one."""
        for loc, what in wrongs:
            whole = (self.key, *loc)
            self.notes.refuse(whole, what, self.notes.place(whole))
        if wrongs:
            raise spec_error(self.notes)


def _of_run(
    key: str, spec: type[Spec], loaded: LoadedSpec, notes: SpecNotes
) -> LoadedSection[Spec]:
    found = loaded.spec.section(key, spec)
    if found is None:
        hint = f"{sections()[key].needed_by} needs one: docs/reference.md has its keys"
        raise SpecError(f"{loaded.path}: there is no `{key}` section", hint=hint)
    return LoadedSection(key, loaded.spec.name, found, loaded.path, notes)


def load_section(
    key: str, spec: type[Spec], path: Path | None, overrides: Sequence[str] = ()
) -> LoadedSection[Spec]:
    """Read a spec of `name` and the section `key`, or that section of a run spec, which must be whole.

    Takes `key.name=value` overrides, which may be all there is. Raises SpecError with one line for every
    mistake."""
    text = f"name: {key}\n{key}: {{}}\n" if path is None else read_text(path)
    is_file, path = path is not None, path or Path("--set")
    notes, needed_by = SpecNotes(), sections()[key].needed_by

    def place_of(line: int) -> ValuePlace:
        return ValuePlace(f"{path}:{line}", line)

    data = read(text, (), place_of, notes)
    if not isinstance(data, dict):
        what = "the file is empty" if data is None else "the top level must be keys with values"
        if not notes.mistakes:
            notes.refuse((), f"{what}; {needed_by} needs name, {key}", place_of(1))
        raise spec_error(notes)
    for assignment in overrides:
        data = override(data, assignment, notes)
    if is_file and any(other in data for other in _OF_A_RUN):
        return _of_run(key, spec, load_spec(path, overrides), notes)
    file = dict(_validate_section(_file_of(key, spec), data, notes))
    return LoadedSection(key, file["name"], file[key], path, notes)


@cache
def _file_of(key: str, spec: type[BaseModel]) -> type[BaseModel]:
    """A spec that holds a name and the section alone."""
    fields: dict[str, Any] = {  # Any: as create_model takes them
        "version": (Literal[1], default(1, "Version of this format", "the only one so far")),
        "name": (str, Field(pattern=RUN_NAME, description="Short name.")),
        key: (spec, ...),
    }
    return create_model("SectionFile", __base__=Model, **fields)


def _validate_section(model: type[BaseModel], data: Tree, notes: SpecNotes) -> BaseModel:
    file, errors = _try_section(model, data)
    found = group(errors, data)
    known = {mistake.loc for mistake in notes.mistakes}
    for loc, here in islice(found.items(), MOST_MISTAKES):
        if loc not in known:
            place = notes.place(loc)
            text = place.text if loc in notes.places else None
            notes.refuse(loc, _what(model, loc, here, text), place)
    if file is None or notes.mistakes:
        raise spec_error(notes, num_more=max(0, len(found) - MOST_MISTAKES))
    return file


def _try_section(
    model: type[BaseModel], data: Tree
) -> tuple[BaseModel | None, list["ErrorDetails"]]:
    try:
        return model.model_validate(data), []
    except ValidationError as error:
        return None, error.errors(include_url=False)


def _what(
    file: type[BaseModel], loc: Loc, errors: Sequence["ErrorDetails"], text: str | None
) -> str:
    # Of a union, the arm whose type the value has says more than the others, which it was not meant for.
    own = [error for error in errors if error["type"] in _BEYOND_TYPES]
    if own and own[0]["type"] == "extra_forbidden":
        known = keys_at(loc[:-1]) if loc[1:] else [*file.model_fields]
        return f"unknown key{close_choice(str(loc[-1]), known)}"
    return explain(loc, own or errors, text)
