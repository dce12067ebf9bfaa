"""YAML text -> the `decide` section, of a file that holds nothing else or of a whole run spec.

Every complaint names file, line and key, by the same machinery as a run spec's."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import BaseModel, ValidationError

from finewright.errors import SpecError
from finewright.schema.aliases import close_choice
from finewright.schema.decide import Aim, DecideSpec, Device
from finewright.schema.decide_file import DecideFile
from finewright.schema.explain import explain, group
from finewright.schema.load import (
    MOST_MISTAKES,
    load_spec,
    override,
    read_text,
    spec_error,
)
from finewright.schema.nodes import Loc, Notes, Place, Tree, read

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

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
class LoadedDecision:
    """A valid `decide` section, the name of its spec, and where everything stands."""

    name: str
    spec: DecideSpec
    path: Path
    notes: Notes

    def resolve(self, path: str) -> Path:
        """Where a path in the spec leads: relative to the spec's folder, `~/` to the home."""
        return self.path.parent / (Path(path).expanduser() if path.startswith("~/") else path)

    def refuse(self, wrongs: Sequence[tuple[Loc, str]]) -> None:
        """Raise SpecError with a line for each (key below `decide`, what is wrong), if there is one."""
        for loc, what in wrongs:
            whole = ("decide", *loc)
            self.notes.refuse(whole, what, self.notes.place(whole))
        if wrongs:
            raise spec_error(self.notes)


def load_decision(path: Path, overrides: Sequence[str] = ()) -> LoadedDecision:
    """Read a spec of `name` and `decide`, or the `decide` section of a run spec, which must be whole.

    Takes `decide.key=value` overrides. Raises SpecError with one line for every mistake."""
    text, notes = read_text(path), Notes()

    def place_of(line: int) -> Place:
        return Place(f"{path}:{line}", line)

    data = read(text, (), place_of, notes)
    if not isinstance(data, dict):
        if not notes.mistakes:
            what = "the file is empty" if data is None else "the top level must be keys with values"
            notes.refuse((), f"{what}; a decision needs name, decide", place_of(1))
        raise spec_error(notes)
    for assignment in overrides:
        data = override(data, assignment, notes)
    if any(key in data for key in _OF_A_RUN):
        return _of_run(path, overrides, notes)
    file = _validated(data, notes)
    return LoadedDecision(file.name, file.decide, path, notes)


def _of_run(path: Path, overrides: Sequence[str], notes: Notes) -> LoadedDecision:
    loaded = load_spec(path, overrides)
    decide: DecideSpec | None = loaded.spec.decide
    if decide is None:
        raise SpecError(
            f"{path}: there is no `decide` section", hint="finewright decide asks for one"
        )
    return LoadedDecision(loaded.spec.name, decide, path, notes)


def _validated(data: Tree, notes: Notes) -> DecideFile:
    file, errors = _tried(data)
    found = group(errors, data)
    known = {mistake.loc for mistake in notes.mistakes}
    for loc, here in islice(found.items(), MOST_MISTAKES):
        if loc not in known:
            place = notes.place(loc)
            text = place.text if loc in notes.places else None
            notes.refuse(loc, _what(loc, here, text), place)
    if file is None or notes.mistakes:
        raise spec_error(notes, num_untold=max(0, len(found) - MOST_MISTAKES))
    return file


def _tried(data: Tree) -> tuple[DecideFile | None, list["ErrorDetails"]]:
    try:
        return DecideFile.model_validate(data), []
    except ValidationError as error:
        return None, error.errors(include_url=False)


def _what(loc: Loc, errors: Sequence["ErrorDetails"], text: str | None) -> str:
    # Of a union, the arm whose type the value has says more than the others, which it was not meant for.
    own = [error for error in errors if error["type"] in _BEYOND_TYPES]
    if own and own[0]["type"] == "extra_forbidden":
        return f"unknown key{close_choice(str(loc[-1]), _keys_at(loc))}"
    return explain(loc, own or errors, text)


def _keys_at(loc: Loc) -> list[str]:
    models: dict[int, type[BaseModel]] = {1: DecideFile, 2: DecideSpec}
    nested: type[BaseModel] = Device if "hardware" in loc else Aim
    return list(models.get(len(loc), nested).model_fields)
