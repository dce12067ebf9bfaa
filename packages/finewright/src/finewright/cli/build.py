"""A command of the table -> a function for typer: its options, its run, its report, its exit code.

The fields of an options model -> the parameters that typer makes flags and arguments of."""

import inspect
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, NamedTuple, Union, get_args, get_origin

import annotated_types
import typer
from pydantic import ValidationError
from pydantic.fields import FieldInfo

from finewright.cli import output
from finewright.cli.action import Action
from finewright.errors import DataError, suggest
from finewright.feature import Command, Session, ask_day, check_needs
from finewright.plugins import load
from finewright.schema.options import CommandOptions, bring_files, find_runs, flag_of


class Given(NamedTuple):
    """What an option takes: values of one type or of named choices, one or several, in pairs or not."""

    type: Any  # Any: a type, such as Path
    choices: tuple[str, ...] = ()
    is_many: bool = False
    is_pairs: bool = False
    is_open: bool = False


_PAGE = Annotated[Path | None, typer.Option("--html", help="Write the report as one page here.")]
_LONGEST_METAVAR = 40
"""Of an option in help: what leaves the flag and its choices on one line of 80 columns."""
_ALL = Annotated[bool, typer.Option("--all", help="Show the details of the report too.")]
_JSON = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]


def function_of(action: Action) -> Callable[..., None]:
    """The function whose parameters are the options of a command and of its modes."""
    command, modes = action.command, action.modes
    actions = (*modes.values(), action)
    shown = {each.name: each for one in actions for each in parameters(_model(one.command))}
    for switch, mode in modes.items():
        option = typer.Option(switch, help=mode.command.sentence)
        shown[_name(switch)] = parameter(_name(switch), Annotated[bool, option], False)
    if not command.is_talk:
        shown["page"] = parameter("page", _PAGE, None)
        shown["as_json"] = parameter("as_json", _JSON, False)
        if "all" not in shown:  # an option of the command's own
            shown["is_whole"] = parameter("is_whole", _ALL, False)

    def call(**typed: Any) -> None:  # Any: checked by the model of the options
        page, as_json = typed.pop("page", None), typed.pop("as_json", False)
        is_whole = typed.pop("is_whole", False)
        switched = [switch for switch in modes if typed.pop(_name(switch))]
        chosen = modes[switched[0]] if switched else action
        own = _model(chosen.command).model_fields
        for name in typed.keys() - own.keys():
            if typed.pop(name) != shown[name].default:
                flag = "--" + name.replace("_", "-")
                raise typer.BadParameter(f"`finewright {chosen.command.name}` does not use {flag}")
        _run(chosen, typed, _Shown(page, as_json, is_whole))

    call.__signature__ = inspect.Signature(list(shown.values()))  # type: ignore[attr-defined]
    call.__annotations__ = {name: each.annotation for name, each in shown.items()}
    call.__doc__ = command.sentence
    return call


class _Shown(NamedTuple):
    """How a report is shown: as a page too, as JSON, with its details."""

    page: Path | None
    as_json: bool
    is_whole: bool


def _run(action: Action, typed: Mapping[str, Any], shown: _Shown) -> None:
    from finewright.workbench.pages import check_page

    command, page = action.command, shown.page
    check_needs(action.feature)
    if page and command.page:
        if typed[command.page] != _model(command).model_fields[command.page].default:
            raise typer.BadParameter(f"--html and --{command.page} both name the page")
        typed, page = {**typed, command.page: page}, None
    options = _options(command, typed)
    check_page(page, options.reads(), options.names())
    session = Session(ask_day(), output.watch(shown.as_json), output.tell, output.ask)
    report = load(command.run)(options, session)
    if command.is_talk:
        output.give(report or "")
        return
    if page:
        from finewright.report.show import write_page

        write_page(report, page)
    output.show(report, as_json=shown.as_json, is_whole=shown.is_whole)
    if command.is_check:
        raise typer.Exit(0 if report.passed else command.fails_with)


def _options(command: Command, typed: Mapping[str, Any]) -> CommandOptions:
    """What was typed as the command's options; typer's own error for what their model refuses."""
    model = _model(command)
    try:
        given = find_runs(model, values(model, typed))
        return model.model_validate(bring_files(model, given))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        flag = flags_of(model, str(first["loc"][0]))[0] if first["loc"] else ""
        message = first["msg"].removeprefix("Value error, ")
        raise typer.BadParameter(message, param_hint=repr(flag) if flag else None) from None


def _model(command: Command) -> type[CommandOptions]:
    model: type[CommandOptions] = load(command.options)
    return model


def _name(switch: str) -> str:
    return switch.strip("-").replace("-", "_")


def parameters(options: type[CommandOptions]) -> Iterator[inspect.Parameter]:
    """A parameter for each field, its type, flag, help, bounds and default told as typer takes them."""
    for name, field in options.model_fields.items():
        given = parameter_of(field.annotation)
        typed: Any = given.type
        typed = list[typed] if given.is_many else typed
        is_open = given.is_open or (given.is_many and not field.is_required())
        annotation: Any = Annotated[
            typed | None if is_open else typed, _declare(options, name, given)
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
        if parameter_of(options.model_fields[name].annotation).is_pairs and value is not None:
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


def parameter_of(annotation: Any) -> Given:
    """What a field of that type takes."""
    arguments = get_args(annotation)
    if get_origin(annotation) is Literal:
        return Given(str, choices=arguments)
    if get_origin(annotation) in (Union, UnionType):
        arms = [parameter_of(arm) for arm in arguments if arm is not NoneType]
        choices = tuple(choice for arm in arms for choice in arm.choices)
        return arms[0]._replace(choices=choices, is_open=NoneType in arguments)
    if get_origin(annotation) is tuple:
        return parameter_of(arguments[0])._replace(is_many=True)
    if get_origin(annotation) is dict:
        return Given(str, is_many=True, is_pairs=True)
    return Given(annotation)


def _declare(options: type[CommandOptions], name: str, given: Given) -> Any:  # Any: typer's own
    field, flag = options.model_fields[name], flag_of(options, name)
    shared: dict[str, Any] = {"help": field.description, **_bounds(field)}
    if given.choices:
        shared["metavar"] = f"<{'|'.join(given.choices)}>"
        if len(shared["metavar"]) > _LONGEST_METAVAR:
            shared["metavar"] = "CHOICE"
            shared["help"] = f"{field.description} One of: {', '.join(given.choices)}."
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
        hint = suggest(value.lower(), choices, f"use one of: {', '.join(choices)}")
        raise DataError(f"{flag} {value}: there is no such value", hint=hint)

    return parse


def _pair(options: type[CommandOptions], name: str, text: str) -> tuple[str, str]:
    first, _, second = text.partition("=")
    if first and second:
        return first, second
    form = flag_of(options, name).metavar
    what = f"{flags_of(options, name)[0]} {text}: is not {form}"
    raise DataError(what, hint=f"write {form}: {options.model_fields[name].description}")
