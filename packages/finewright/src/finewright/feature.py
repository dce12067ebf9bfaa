"""What a feature is: plain data, from which finewright makes its key in the spec, its commands and its pages.

Code is named as "module:attribute", so that listing the features imports none of them."""

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import cache
from importlib.util import find_spec
from typing import Any, Literal, TypeAlias, get_args

from finewright import plugins
from finewright.errors import MissingExtra, SpecError

Effect: TypeAlias = Literal["reads", "writes", "spends", "publishes"]
"""What a command does to the world; each may do what those before it do.

"reads": it looks, and leaves nothing but what is cached. "writes": it makes or changes files of this machine.
"spends": it trains or asks models, so it takes minutes to hours or costs money. "publishes": it lets others
reach what is here."""
EFFECTS: tuple[Effect, ...] = get_args(Effect)
Step: TypeAlias = Literal["start", "decide", "data", "train", "evaluate", "serve", "prove", "more"]
"""Where in the work a command is used; help lists the commands in this order."""
STEPS: tuple[Step, ...] = get_args(Step)
OnEvent: TypeAlias = Callable[[str, Mapping[str, Any]], None]  # Any: an event's fields


@dataclass(frozen=True, slots=True)
class SpecSection:
    """The key of a feature in the run spec, which bears the feature's name.

    `model` is the class of its keys, in a module that imports nothing which reads a spec; `what` describes
    it, and `why` says why it is open by default. `needed_by` names what asks for it (`an index`) where a
    file of `name` and this section alone will do. `aliases`: dotted key below it -> what other tools call
    that key. `faults`: a function that gives the problems of a section, whatever the rows are."""

    model: str
    what: str
    why: str
    needed_by: str = ""
    aliases: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    faults: str = ""


@dataclass(frozen=True, slots=True)
class Command:
    """A verb: `run(options, session)` returns the report, which the command shows.

    `name` is what is typed: `tune`; `data show`, of a group; or `decide --measure`, a switch with which the
    command of another feature does this instead, with those of its options that this one has too.
    `options` is a CommandOptions. `effects`: an option -> the effect of the command where it is given, if
    that is more than its usual `effect`. What is `is_by_hand` decides whom this machine trusts: a person
    alone may give it, and no program. With `is_check` the exit code is `fails_with` where the report has not
    `passed`.
    With `is_talk` the command shows by itself what it has to show, and may return a text for stdout.
    `page` is its option for the page that is its work: `--html` is the same option. `step` is where in the
    work it is used, if that is another than its feature's."""

    name: str
    sentence: str
    options: str
    run: str
    effect: Effect
    effects: Mapping[str, Effect] = field(default_factory=dict)
    is_check: bool = False
    fails_with: int = 2
    is_talk: bool = False
    page: str = ""
    is_by_hand: bool = False
    step: Step | None = None

    def effect_of(self, given: Iterable[str]) -> Effect:
        """The effect with the options of these names."""
        found = (self.effect, *(self.effects[name] for name in given if name in self.effects))
        return max(found, key=EFFECTS.index)


@dataclass(frozen=True, slots=True)
class FeatureStage:
    """A stage of a run, for runs whose spec has the feature's section.

    `run(context)` returns its StageResult, whose report is of the class `report`; `reads` names the stages
    whose results it reads, and `after` one that it stands behind without reading it. `asks_text`: it asks the
    trained model for text, so a spec whose model writes none cannot have the section."""

    run: str
    report: str
    sentence: str
    reads: tuple[str, ...] = ()
    after: str = ""
    asks_text: bool = False


@dataclass(frozen=True, slots=True)
class Feature:
    """A use case that can be taken out as one piece.

    `reports`: class of a report -> the function that lays it out as a page. `needs`: a library without
    which nothing of it runs -> the extra of finewright that installs it. `offers`: name -> a function that
    other features may call, by `load_offered`, because they never import it. `groups`: the first word of
    commands, where it is another than the name -> what they do together. `step`: where in the work its
    commands are used."""

    name: str
    sentence: str
    section: SpecSection | None = None
    commands: tuple[Command, ...] = ()
    stage: FeatureStage | None = None
    reports: Mapping[str, str] = field(default_factory=dict)
    needs: Mapping[str, str] = field(default_factory=dict)
    offers: Mapping[str, str] = field(default_factory=dict)
    groups: Mapping[str, str] = field(default_factory=dict)
    step: Step = "more"


def ask_day() -> date:
    """The day by which dated facts are read: `FINEWRIGHT_TODAY`, or else the clock's.

    Only whoever begins a command asks; everybody else is given the day."""
    return day_of(os.environ.get("FINEWRIGHT_TODAY", ""), "FINEWRIGHT_TODAY=") or date.today()


def day_of(text: str, said_by: str) -> date | None:
    """The day that was typed, None for no text. Raises SpecError for what is no day."""
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        raise SpecError(f"{said_by}{text}: is no day", hint="write it as 2026-11-25") from None


@dataclass(frozen=True, slots=True)
class Session:
    """What a command is given beside its options: the day, who hears of what happens, and who is asked.

    `tell` shows a text at once; `ask` does too, and returns the line that is typed, or nothing where the
    input has ended."""

    today: date
    on_event: OnEvent
    tell: Callable[[str], None]
    ask: Callable[[str], str]


@cache
def features() -> Mapping[str, Feature]:
    """Every feature by name: those of finewright in the order of their table, then the installed ones."""
    return {name: plugins.resolve("feature", name) for name in plugins.list_names("feature")}


def load_offered(feature: str, name: str) -> Any:  # Any: what it offers is its own
    """The function that a feature offers by that name. Raises UnknownPlugin where it is not installed."""
    found: Feature = plugins.resolve("feature", feature)
    return plugins.load(found.offers[name])


def feature_stages() -> Mapping[str, FeatureStage]:
    """Feature -> its stage, of the features that have one."""
    return {name: feature.stage for name, feature in features().items() if feature.stage}


def check_needs(feature: Feature) -> None:
    """Raise MissingExtra, before anything runs, where a library that the feature needs is not installed."""
    for library in missing_needs(feature):
        what = f"`{feature.name}` needs {library}, which is not installed"
        raise MissingExtra(what, hint=plugins.install_command(feature.needs[library]))


def missing_needs(feature: Feature) -> list[str]:
    """The libraries that the feature needs and that are not installed."""
    return [library for library in feature.needs if find_spec(library) is None]


def sections() -> Mapping[str, SpecSection]:
    """Key of the run spec -> its section, of the features that have one."""
    return {name: feature.section for name, feature in features().items() if feature.section}
