"""YAML text -> RunSpec. The only place specs are read; every complaint names file, line and key."""

import codecs
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from pydantic import ValidationError

from finewright.errors import SpecError
from finewright.feature import sections
from finewright.place import bring, is_address
from finewright.plugins import not_installed
from finewright.schema.common import Problem, without
from finewright.schema.explain import explain, group, odd_numbers, visible
from finewright.schema.nodes import (
    DEEPEST,
    Loc,
    SpecNotes,
    Tree,
    ValuePlace,
    join_keys,
    prefixes,
    read,
    short,
    walk,
)
from finewright.schema.run import RunSpec

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

_LARGEST_BYTES = 1_000_000
MOST_MISTAKES = 50
_MOST_ROUNDS = 5
_TAGS = {"method": "sft", "type": "lora"}
"""The keys that choose an arm of a union, and the arm that holds where they are missing."""
_INDEX = re.compile(r"[0-9]{1,6}")


@dataclass(frozen=True, slots=True)
class LoadedSpec:
    """A valid spec, where it came from, and which of its values the user wrote.

    `text` is the file as written; `spec`, `data` and `set_keys` include the overrides."""

    spec: RunSpec
    text: str
    path: Path
    set_keys: frozenset[str]
    data: Mapping[str, Tree]
    places: Mapping[str, ValuePlace] = field(default_factory=dict)

    def resolve(self, path: str) -> Path:
        """Where a path in the spec leads: relative to the spec's folder, `~/` to the home; what is elsewhere
        is fetched."""
        if is_address(path):
            return bring(path)
        return self.path.parent / (Path(path).expanduser() if path.startswith("~/") else path)

    def locate(self, problem: Problem) -> Problem:
        """The problem with the file and the line of its key, or of the nearest key around it."""
        if problem.file or not problem.key:
            return problem
        parts = problem.key.split(".")
        around = (".".join(parts[:length]) for length in range(len(parts), 0, -1))
        place = next((self.places[key] for key in around if key in self.places), None)
        if place is None:
            return problem.model_copy(update={"file": str(self.path)})
        if math.isinf(place.rank):
            return problem.model_copy(update={"file": place.where})
        return problem.model_copy(update={"file": str(self.path), "row": int(place.rank)})


def load_spec(path: Path, overrides: Sequence[str] = ()) -> LoadedSpec:
    """Read a spec and apply `a.b=value` overrides to it, the later ones over the earlier.

    Raises SpecError with one line for every mistake; takes no YAML aliases, tags or merge keys."""
    text = read_text(path)
    notes = SpecNotes()
    data = _read_root(path, text, notes)
    for assignment in overrides:
        data = override(data, assignment, notes)
    spec = _validate_spec(data, notes)
    set_keys = frozenset(join_keys(loc) for loc, _ in walk(data))
    places = {join_keys(loc): place for loc, place in notes.places.items()}
    return LoadedSpec(spec, text, path, set_keys, data, places)


def load_the_rest(path: Path, overrides: Sequence[str] = ()) -> LoadedSpec | None:
    """A spec with mistakes without the keys that are wrong, as if they were not written, so that more can be
    said of it at once; None where too little is left. Nothing may be run by it."""
    notes = SpecNotes()
    try:
        data = _read_root(path, read_text(path), notes)
        for assignment in overrides:
            data = override(data, assignment, notes)
        return _right_part(data, path, notes)
    except (SpecError, LookupError):
        return None


def _right_part(data: Tree, path: Path, notes: SpecNotes) -> LoadedSpec | None:
    for _ in range(_MOST_ROUNDS):
        spec, errors = _try_spec(data)
        wrong = group([*errors, *odd_numbers(data)], data)
        if spec is not None and not wrong:
            places = {join_keys(loc): place for loc, place in notes.places.items()}
            keys = frozenset(join_keys(loc) for loc, _ in walk(data))
            return LoadedSpec(spec, "", path, keys, data, places)
        if any(_may_choose_arm(data, loc) for loc in wrong):
            return None
        # The last first, so that items of a list stay at their numbers.
        for loc in sorted(wrong, key=str, reverse=True):
            data = _without(data, loc)
    return None


def _may_choose_arm(data: Tree, loc: Loc) -> bool:
    """Whether what is wrong is a key that chooses an arm, or meant as one, or around one, as in `methd: dpo`,
    `trian: {method: dpo}` or `train: dpo`. Without it the rest would be judged as of the usual arm."""
    value: Any = data
    for part in loc:
        if isinstance(value, dict):
            value = value.get(part)
        else:
            value = value[part] if isinstance(value, list) and isinstance(part, int) else None
    holds = isinstance(value, dict) and not _TAGS.keys().isdisjoint(value)
    return holds or loc == ("train",) or bool(get_close_matches(str(loc[-1]), _TAGS))


def _without(old: Tree, loc: Loc) -> Tree:
    """A copy of `old` without what is at `loc`. Raises LookupError where nothing is, or it is the root."""
    if not loc:
        raise LookupError("the whole spec is wrong")
    first, rest = loc[0], loc[1:]
    if isinstance(old, list) and isinstance(first, int) and first < len(old):
        below = [_without(old[first], rest)] if rest else []
        return [*old[:first], *below, *old[first + 1 :]]
    if not isinstance(old, dict) or first not in old:
        raise LookupError(f"nothing is at {join_keys(loc)}")
    if rest:
        return {**old, first: _without(old[first], rest)}
    return without(old, (first,))


def change_spec(
    loaded: LoadedSpec, values: Mapping[str, Tree], *, without: Sequence[str] = (), where: str = ""
) -> LoadedSpec:
    """The spec with other values at dotted keys and without some top-level keys, checked as if read so.

    Its text is that of the changed spec, without the comments. Raises SpecError; `where` is what its lines
    begin with, in place of the file."""
    notes = SpecNotes()
    place = notes.places[()] = ValuePlace(where or str(loaded.path), 0)
    data: Tree = {key: value for key, value in loaded.data.items() if key not in without}
    for key, value in values.items():
        try:
            loc = _convert_positions(data, key.split("."))
        except LookupError as error:
            raise SpecError(f"{place.where}: {error.args[0]}") from None
        notes.places[loc] = place
        data = _with(data, loc, value)
    spec = _validate_spec(data, notes)
    text = yaml.safe_dump(data, sort_keys=False, allow_unicode=True)
    return LoadedSpec(
        spec, text, loaded.path, frozenset(join_keys(loc) for loc, _ in walk(data)), data
    )


def json_schema() -> dict[str, Tree]:
    """JSON Schema of the spec, with which editors complete and check it.

    An arm of a union that is not the default one must be named."""
    schema: dict[str, Tree] = RunSpec.model_json_schema()
    for arm in schema["$defs"].values():
        for tag, usual in _TAGS.items():
            named = arm.get("properties", {}).get(tag, {})
            if named.get("const", usual) != usual:
                has = arm.get("properties", {})
                arm["required"] = [*arm.get("required", []), "head" if "head" in has else tag]
    return schema


def read_text(path: Path) -> str:
    """The text of a spec file; raises SpecError for what is none."""
    if path.is_dir():
        raise SpecError(f"{path}: is a folder, not a spec file", hint="give the .yaml file in it")
    if path.exists() and not path.is_file():  # to open a pipe nobody writes to takes for ever
        raise SpecError(f"{path}: is no regular file", hint="write the spec to a file first")
    try:
        with path.open("rb") as file:
            content = file.read(_LARGEST_BYTES + 1)
    except FileNotFoundError:
        raise SpecError(f"{path}: no such file", hint="give the path of a run spec") from None
    except OSError as error:
        raise SpecError(f"{path}: cannot be read: {error.strerror}") from None
    if len(content) > _LARGEST_BYTES:
        raise SpecError(f"{path}: over 1 MB is no spec", hint="name data files in data.sources")
    return _decode(path, content)


def _decode(path: Path, content: bytes) -> str:
    hint = "save the file as UTF-8"
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise SpecError(f"{path}:1: is UTF-16, not UTF-8", hint=hint)
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        what = f"byte 0x{error.object[error.start]:02x} is not UTF-8"
        raise SpecError(f"{path}:{line}: {what}", hint=hint) from None


def _read_root(path: Path, text: str, notes: SpecNotes) -> Tree:
    def line_of(line: int) -> ValuePlace:
        return ValuePlace(f"{path}:{line}", line)

    data = read(text, (), line_of, notes)
    if isinstance(data, dict):
        return data
    if not notes.mistakes:
        what = "the file is empty" if data is None else "the top level must be keys with values"
        required = [key for key, info in RunSpec.model_fields.items() if info.is_required()]
        notes.refuse((), f"{what}; a spec needs {', '.join(required)}", line_of(1))
    raise spec_error(notes)


def override(data: Tree, assignment: str, notes: SpecNotes) -> Tree:
    """The data with `key=value` put in; what is wrong with that is noted."""
    place = ValuePlace(f"--set {short(assignment)}", math.inf)
    path, equals, text = assignment.partition("=")
    parts = path.strip().split(".")
    if not equals or not all(parts) or len(parts) > DEEPEST:
        notes.refuse((), "write it as key=value, such as train.epochs=1", place)
        return data
    try:
        loc = _convert_positions(data, parts)
    except LookupError as error:
        notes.refuse((), error.args[0], place)
        return data
    for part in prefixes(loc):
        notes.places.setdefault(part, place)
    return _with(data, loc, read(text, loc, lambda _: place, notes))


def _convert_positions(data: Tree, parts: Sequence[str]) -> Loc:
    """The path with list positions as numbers; LookupError where nothing can stand."""
    loc: Loc = ()
    here = data
    for part in parts:
        if here is None:
            here = [] if _INDEX.fullmatch(part) else {}
        if isinstance(here, dict):
            here, loc = here.get(part), (*loc, part)
        elif not isinstance(here, list):
            raise LookupError(f"{join_keys(loc)} is a plain value and has no {short(part)!r}")
        elif _INDEX.fullmatch(part) and int(part) <= len(here):
            here, loc = ([*here, None][int(part)], (*loc, int(part)))
        else:
            raise LookupError(f"{join_keys(loc)} is a list; its next item is number {len(here)}")
    return loc


def _with(old: Tree, loc: Loc, value: Tree) -> Tree:
    """A copy of `old` with `value` at `loc`, and what leads there made when missing."""
    if not loc:
        return value
    first, rest = loc[0], loc[1:]
    if isinstance(first, int):
        items = [*(old or ()), None][: max(len(old or ()), first + 1)]
        items[first] = _with(items[first], rest, value)
        return items
    keys = old or {}
    return {**keys, first: _with(keys.get(first), rest, value)}


def _validate_spec(data: Tree, notes: SpecNotes) -> RunSpec:
    spec, errors = _try_spec(data)
    found = group(errors, data) | group(odd_numbers(data), data)
    known = {mistake.loc for mistake in notes.mistakes if mistake.loc}
    fresh = {loc: errors for loc, errors in found.items() if known.isdisjoint(prefixes(loc))}
    if not_installed("feature").keys() & {loc[0] for loc in fresh if len(loc) == 1}:
        # With the package that is missing, its section may be all that the spec needs.
        fresh = {
            loc: errors for loc, errors in fresh.items() if not _is_missing_section(loc, errors)
        }
    for loc, errors in islice(fresh.items(), MOST_MISTAKES):
        place = notes.place(loc)
        text = place.text if loc in notes.places else None
        notes.refuse(loc, explain(loc, errors, text), place)
    if spec is None or notes.mistakes:
        error = spec_error(notes, num_more=max(0, len(fresh) - MOST_MISTAKES))
        if any(_is_missing_section(loc, errors) for loc, errors in fresh.items()):
            error.hint = error.hint or _reader_of_section(data)
        raise error
    return spec


def _is_missing_section(loc: Loc, errors: Sequence["ErrorDetails"]) -> bool:
    return len(loc) == 1 and errors[0]["type"] == "missing"


def _reader_of_section(data: Tree) -> str:
    """The hint for a spec whose one section is enough for another command."""
    alone = [
        name for name, section in sections().items() if section.needed_by and name in (data or ())
    ]
    return f"a spec with `{alone[0]}` alone is read by `finewright {alone[0]}`" if alone else ""


def _try_spec(data: Tree) -> tuple[RunSpec | None, list["ErrorDetails"]]:
    """The spec, or all that is wrong: below a method or a kind that does not exist too, as if the usual one
    stood there."""
    try:
        return RunSpec.model_validate(data), []
    except ValidationError as error:
        errors = error.errors(include_url=False)
    for error_here in errors:
        if error_here["type"] == "union_tag_invalid":
            place = visible(error_here, data)
            _, below = _try_spec(_with(data, place, _TAGS[str(place[-1])]))
            return None, [*errors, *below]
    return None, errors


def spec_error(notes: SpecNotes, *, num_more: int = 0) -> SpecError:
    """All that is noted as one error, a line for each mistake, in the order of the file."""
    listed = sorted(notes.mistakes, key=lambda mistake: mistake.place.rank)[:MOST_MISTAKES]
    num_more += len(notes.mistakes) - len(listed)
    hint = f"and {num_more} more mistakes" if num_more else ""
    return SpecError("\n".join(mistake.line() for mistake in listed), hint=hint)
