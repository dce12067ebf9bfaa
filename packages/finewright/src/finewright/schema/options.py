"""What a command can be given: one model for the command line, a REST route and Python."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, TypeAlias, get_args

from pydantic import Field

from finewright.errors import DataError
from finewright.feature import load_offered
from finewright.place import address_of, bring, is_address
from finewright.schema.common import Model


@dataclass(frozen=True, slots=True)
class Flag:
    """How a value is given on the command line, where that is not as `--its-name VALUE`.

    `name` is the flag, or two of them (`--prompt -p`); `metavar` is what stands for the value.
    A positional value has no flag."""

    name: str = ""
    metavar: str = ""
    is_positional: bool = False


def argument(metavar: str) -> Flag:
    """The mark of a positional value."""
    return Flag(metavar=metavar, is_positional=True)


def option(value: Any, what: str, **constraints: Any) -> Any:  # Any: as pydantic's Field
    """An option with its default and what it means; `...` makes it required."""
    return Field(value, description=what, **constraints)


class CommandOptions(Model):
    """What one command can be given: text, numbers, choices, paths, and tuples of them."""

    def reads(self) -> Sequence[Path]:
        """The files and folders that the command is about; nothing may be written among them."""
        return [path for name, path in self._paths() if flag_of(type(self), name).is_positional]

    def names(self) -> Sequence[Path]:
        """Every other file and folder that the command was given."""
        return [path for name, path in self._paths() if not flag_of(type(self), name).is_positional]

    def _paths(self) -> Iterator[tuple[str, Path]]:
        for name, value in self:
            for item in value if isinstance(value, tuple) else [value]:
                if isinstance(item, Path):
                    yield name, item


_RUNS = frozenset({"run", "other"})
_OF_A_SPEC = frozenset({"spec", "specs"})
"""A spec names files beside it, so that it is read where it lies."""


def bring_files(options: type[CommandOptions], given: Mapping[str, Any]) -> dict[str, Any]:
    """What was given, with files and folders of other places fetched: what a command is about, and `--data`.

    For who stands at the machine; whoever calls from elsewhere has it fetch nothing. Raises FetchError."""
    found = dict(given)
    for name, value in given.items():
        if name not in options.model_fields:
            continue  # whoever checks the options says so
        if name in _RUNS and value is not None and is_address(address := address_of(value)):
            raise DataError(f"{address}: is no run folder here", hint=f"finewright pull {address}")
        kind = options.model_fields[name].annotation
        is_path = flag_of(options, name).is_positional and Path in {kind, *get_args(kind)}
        if value is not None and name not in _OF_A_SPEC and (is_path or name == "data"):
            found[name] = _change_each(value, _bring_file)
    return found


def find_runs(options: type[CommandOptions], given: Mapping[str, Any]) -> dict[str, Any]:
    """What was given, with the folder of a run in the place of an alias that was set beside the runs.

    Raises StoreError where the run is gone or another by now."""
    runs, found = Path(given.get("runs") or "runs"), dict(given)
    if not (runs / "aliases.jsonl").is_file():
        return found
    find: Callable[[str, Path], Path | None] = load_offered("places", "find_alias")
    for name, value in given.items():
        is_named = name in options.model_fields and flag_of(options, name).is_positional
        if value is not None and name != "alias" and (is_named or name == "against"):
            found[name] = _change_each(value, lambda one: type(one)(find(str(one), runs) or one))
    return found


def _change_each(value: Any, change: Callable[[Any], Any]) -> Any:  # Any: one or many, as given
    return tuple(map(change, value)) if isinstance(value, list | tuple) else change(value)


def _bring_file(value: Any) -> Any:  # Any: a text or a path, as it was given
    address = address_of(value)
    return type(value)(bring(address)) if is_address(address) else value


def flag_of(options: type[CommandOptions], name: str) -> Flag:
    """How the value of that name is given on the command line."""
    marks = options.model_fields[name].metadata
    return next((mark for mark in marks if isinstance(mark, Flag)), Flag())


SpecPath: TypeAlias = Annotated[
    Path, argument("SPEC"), Field(description="The run spec, a YAML file.")
]
RunPath: TypeAlias = Annotated[Path, argument("RUN"), Field(description="A run folder.")]
Target: TypeAlias = Annotated[
    str, argument("RUN_OR_MODEL"), Field(description="A run folder, or a base model by name.")
]
Overrides: TypeAlias = Annotated[
    tuple[str, ...],
    Flag("--set", metavar="KEY=VALUE"),
    Field(description="Override a key, e.g. train.epochs=1; repeatable."),
]
Runs: TypeAlias = Annotated[Path, Field(description="The folder that holds the runs.")]
OneBaseModel: TypeAlias = Annotated[
    str, Flag("--base-model"), Field(description="Which candidate of a run with several.")
]
Encoding: TypeAlias = Annotated[
    str, Field(description="Of text that is not UTF-8, e.g. cp1252, gb18030.")
]
RowFormat: TypeAlias = Annotated[str, Field(description="Format of the rows, e.g. alpaca.")]
Columns: TypeAlias = Annotated[
    dict[str, str],
    Flag("--column", metavar="OURS=THEIRS"),
    Field(description="e.g. prompt=question; repeatable."),
]


class SpecOptions(CommandOptions):
    """A run spec and what is overridden in it."""

    spec: SpecPath
    overrides: Overrides = ()


class TrainOptions(SpecOptions):
    """A run spec, and the run that it makes or goes on with."""

    runs: Runs = Path("runs")
    new: bool = option(False, "Start a new run even if this spec has one.")
    processes: int | None = option(None, "Train in so many processes: launch.processes.", ge=1)
    cluster: Annotated[
        str | None,
        Flag("--on", metavar="ray|HOST:PORT"),
        Field(description="Train on a Ray cluster: launch.cluster."),
    ] = None

    @property
    def given(self) -> tuple[str, ...]:
        """What is overridden in the spec."""
        own = {"processes": self.processes, "cluster": self.cluster}
        given = (f"launch.{key}={value}" for key, value in own.items() if value is not None)
        return (*self.overrides, *given)
