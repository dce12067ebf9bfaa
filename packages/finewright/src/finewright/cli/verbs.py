"""The verbs of the command line, from the tables of the core and of the features.

A command is built when it is called, so that help costs the table alone."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import typer
import typer.core
import typer.main

from finewright.cli.action import Action
from finewright.errors import FinewrightError
from finewright.feature import STEPS, Command, Feature, Step
from finewright.table import list_features, require_package


@dataclass(slots=True)
class Verb:
    """A word of the command line: a feature's command, or a group of verbs."""

    sentence: str
    step: Step
    action: Action | None = None
    inner: dict[str, "Verb"] = field(default_factory=dict)


def verbs() -> dict[str, Verb]:
    """Every verb by its word: those of the core, then those of the features.

    Raises FinewrightError where two features bring the same."""
    found: dict[str, Verb] = {}
    known = list_features()
    sentences = {feature.name: feature.sentence for feature in known}
    sentences |= {word: what for feature in known for word, what in feature.groups.items()}
    commands = [(feature, command) for feature in known for command in feature.commands]
    for feature, command in sorted(commands, key=lambda item: _is_mode(item[1])):
        first, _, rest = command.name.partition(" ")
        verb = Verb(command.sentence, command.step or feature.step, Action(command, feature))
        if not rest:
            _add(found, first, verb, feature)
        elif _is_mode(command):
            _add_mode(found.get(first), rest, Action(command, feature))
        else:
            group = found.setdefault(first, Verb(sentences.get(first, feature.sentence), verb.step))
            inner = found if group.action else group.inner
            _add(inner, first if group.action else rest, verb, feature)
    return found


def _is_mode(command: Command) -> bool:
    return " --" in command.name


def _add(found: dict[str, Verb], word: str, verb: Verb, feature: Feature) -> None:
    if word in found:
        what = f"the feature {feature.name!r} brings a command {word!r}, which there is already"
        raise FinewrightError(what, hint="uninstall the package that brings it")
    found[word] = verb


def _add_mode(host: Verb | None, switch: str, mode: Action) -> None:
    if host is None or host.action is None or switch in host.action.modes:
        name, brought = mode.feature.name, mode.command.name
        what = f"the feature {name!r} brings `{brought}`, which fits no command"
        raise FinewrightError(what, hint="uninstall the package that brings it")
    host.action.modes[switch] = mode


class LazyGroup(typer.core.TyperGroup):
    """Commands under one word, each built when it is asked for; help reads the table alone."""

    verbs: Mapping[str, Verb]

    def list_commands(self, ctx: Any) -> list[str]:  # Any: typer has click's classes for itself
        """The words, in the order of the table."""
        return list(self.verbs)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The command or the group of that word, or None. MissingExtra where its package is not here."""
        verb = self.verbs.get(cmd_name)
        if verb is None:
            require_package(cmd_name)
        return _build(cmd_name, verb) if verb else None

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Each word with the sentence of what it does, in the order of the work where there are steps."""
        longest = max(map(len, self.verbs), default=0)
        rows = {
            step: [
                (word.ljust(longest), verb.sentence.partition("\n")[0])
                for word, verb in self.verbs.items()
                if verb.step == step
            ]
            for step in STEPS
        }
        is_grouped = sum(map(bool, rows.values())) > 1
        for step, found in rows.items():
            if found:
                with formatter.section(step.capitalize() if is_grouped else "Commands"):
                    formatter.write_dl(found)


def group(sentence: str, inner: Mapping[str, Verb], options: Callable[..., None]) -> LazyGroup:
    """The verbs as one command, whose own options are those of the function `options`."""
    app = _app()
    app.info.context_settings = _HELP
    app.callback(cls=LazyGroup, help=sentence, no_args_is_help=True)(options)
    made = typer.main.get_command(app)
    assert isinstance(made, LazyGroup)
    made.verbs = inner
    made.commands = dict.fromkeys(inner)  # type: ignore[assignment]  # what a mistyped word is near to
    return made


def _build(word: str, verb: Verb) -> Any:  # Any: as above
    if verb.action is None:
        made = group(verb.sentence, verb.inner, _no_options)
        made.name = word
        return made
    from finewright.cli.build import function_of

    app = _app()
    app.command(word, context_settings=_HELP)(function_of(verb.action))
    return typer.main.get_command(app)


_HELP = {"help_option_names": ["-h", "--help"]}


def _app() -> typer.Typer:
    return typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)


def _no_options() -> None:
    """A group's own options: none."""
