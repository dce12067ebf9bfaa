"""The fields of an options model -> the parameters that typer makes flags and arguments of."""

import inspect
from collections.abc import Callable, Iterator, Mapping
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, NamedTuple, Union, get_args, get_origin

import annotated_types
import typer
from pydantic.fields import FieldInfo

from finewright.errors import DataError, meant
from finewright.schema.options import CommandOptions, flag_of


class Given(NamedTuple):
    """What an option takes: values of one type or of named choices, one or several, in pairs or not."""

    type: Any  # Any: a type, such as Path
    choices: tuple[str, ...] = ()
    is_many: bool = False
    is_pairs: bool = False
    is_open: bool = False


def parameters(options: type[CommandOptions]) -> Iterator[inspect.Parameter]:
    """A parameter for each field, its type, flag, help, bounds and default told as typer takes them."""
    for name, field in options.model_fields.items():
        given = given_of(field.annotation)
        typed: Any = given.type
        typed = list[typed] if given.is_many else typed
        is_open = given.is_open or (given.is_many and not field.is_required())
        annotation: Any = Annotated[
            typed | None if is_open else typed, _declared(options, name, given)
        ]
        yield parameter(name, annotation, _default(field, given))


def parameter(name: str, annotation: Any, default: Any) -> inspect.Parameter:
    """A parameter by keyword."""
    kind = inspect.Parameter.KEYWORD_ONLY
    return inspect.Parameter(name, kind, default=default, annotation=annotation)


def values(options: type[CommandOptions], typed: Mapping[str, Any]) -> dict[str, Any]:
    """What was typed, as the model takes it: without what is open, and pairs apart.

    Raises DataError for a pair that is none."""
    found = {}
    for name, value in typed.items():
        if given_of(options.model_fields[name].annotation).is_pairs and value is not None:
            found[name] = dict(_pair(options, name, text) for text in value)
        elif value is not None:
            found[name] = value
    return found


def flags_of(options: type[CommandOptions], name: str) -> list[str]:
    """`--its-name`, or what the model says; a switch that may be open has its opposite too."""
    flag, usual = flag_of(options, name), "--" + name.replace("_", "-")
    if flag.is_positional:
        return [flag.metavar]
    if options.model_fields[name].annotation == bool | None:
        usual = f"{usual}/--no-{usual.removeprefix('--')}"
    return flag.name.split() or [usual]


def given_of(annotation: Any) -> Given:
    """What a field of that type takes."""
    arguments = get_args(annotation)
    if get_origin(annotation) is Literal:
        return Given(str, choices=arguments)
    if get_origin(annotation) in (Union, UnionType):
        arms = [given_of(arm) for arm in arguments if arm is not NoneType]
        choices = tuple(choice for arm in arms for choice in arm.choices)
        return arms[0]._replace(choices=choices, is_open=NoneType in arguments)
    if get_origin(annotation) is tuple:
        return given_of(arguments[0])._replace(is_many=True)
    if get_origin(annotation) is dict:
        return Given(str, is_many=True, is_pairs=True)
    return Given(annotation)


def _declared(options: type[CommandOptions], name: str, given: Given) -> Any:  # Any: typer's own
    field, flag = options.model_fields[name], flag_of(options, name)
    shared: dict[str, Any] = {"help": field.description, **_bounds(field)}
    if given.choices:
        shared["metavar"] = f"<{'|'.join(given.choices)}>"
        shared["parser"] = _parser(flags_of(options, name)[0], given.choices)
    if flag.metavar:
        shared["metavar"] = flag.metavar
    if flag.is_positional:
        return typer.Argument(**shared)
    return typer.Option(*flags_of(options, name), **shared)


def _default(field: FieldInfo, given: Given) -> Any:
    if field.is_required():
        return inspect.Parameter.empty
    return None if given.is_many else field.default


def _bounds(field: FieldInfo) -> dict[str, Any]:
    bounds: dict[str, Any] = {}
    for mark in field.metadata:
        if isinstance(mark, annotated_types.Ge):
            bounds["min"] = mark.ge
        elif isinstance(mark, annotated_types.Le):
            bounds["max"] = mark.le
    return bounds


def _parser(flag: str, choices: tuple[str, ...]) -> Callable[[str], str]:
    """Another value than a choice is one line that names the meant one."""

    def parse(value: str) -> str:
        if value in choices:
            return value
        hint = meant(value.lower(), choices, f"use one of: {', '.join(choices)}")
        raise DataError(f"{flag} {value}: there is no such value", hint=hint)

    return parse


def _pair(options: type[CommandOptions], name: str, text: str) -> tuple[str, str]:
    first, _, second = text.partition("=")
    if first and second:
        return first, second
    form = flag_of(options, name).metavar
    what = f"{flags_of(options, name)[0]} {text}: is not {form}"
    raise DataError(what, hint=f"write {form}: {options.model_fields[name].description}")
