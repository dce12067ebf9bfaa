"""A command of the table -> a function for typer: its options, its run, its report, its exit code."""

import inspect
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import ValidationError

from finewright.cli import output
from finewright.cli.action import Action
from finewright.cli.parameters import flags_of, parameter, parameters, values
from finewright.feature import Command, Session, ask_day, check_needs
from finewright.plugins import load
from finewright.schema.options import CommandOptions

_PAGE = Annotated[Path | None, typer.Option("--html", help="Write the report as one page here.")]
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

    def call(**typed: Any) -> None:  # Any: checked by the model of the options
        page, as_json = typed.pop("page", None), typed.pop("as_json", False)
        switched = [switch for switch in modes if typed.pop(_name(switch))]
        chosen = modes[switched[0]] if switched else action
        own = _model(chosen.command).model_fields
        for name in typed.keys() - own.keys():
            if typed.pop(name) != shown[name].default:
                flag = "--" + name.replace("_", "-")
                raise typer.BadParameter(f"`finewright {chosen.command.name}` does not use {flag}")
        _run(chosen, typed, page=page, as_json=as_json)

    call.__signature__ = inspect.Signature(list(shown.values()))  # type: ignore[attr-defined]
    call.__annotations__ = {name: each.annotation for name, each in shown.items()}
    call.__doc__ = command.sentence
    return call


def _run(action: Action, typed: Mapping[str, Any], *, page: Path | None, as_json: bool) -> None:
    from finewright.workbench.pages import check_page

    command = action.command
    check_needs(action.feature)
    if page and command.page:
        if typed[command.page] != _model(command).model_fields[command.page].default:
            raise typer.BadParameter(f"--html and --{command.page} both name the page")
        typed, page = {**typed, command.page: page}, None
    options = _options(command, typed)
    check_page(page, options.reads(), options.names())
    session = Session(ask_day(), output.watch(as_json), output.tell, output.ask)
    report = load(command.run)(options, session)
    if command.is_talk:
        output.give(report or "")
        return
    if page:
        from finewright.report.show import write_page

        write_page(report, page)
    output.show(report, as_json=as_json)
    if command.is_check:
        raise typer.Exit(0 if report.passed else 2)


def _options(command: Command, typed: Mapping[str, Any]) -> CommandOptions:
    """What was typed as the command's options; typer's own error for what their model refuses."""
    model = _model(command)
    try:
        return model.model_validate(values(model, typed))
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
