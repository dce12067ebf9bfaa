"""The one table of commands, of which the command line, Python, HTTP and MCP are made.

The commands that every use needs stand here: the run spec, the stages, models, runs and the catalog. Those of
the features come after them."""

from collections.abc import Mapping
from typing import Any

from finewright import plugins
from finewright.errors import DataError, FinewrightError, suggest
from finewright.extras import missing_extra
from finewright.feature import Command, Feature, Session, ask_day, check_needs, features

_HERE = "finewright.cli.commands"
_CATALOG = "finewright.cli.catalog"
_TRUSTED = "finewright.cli.trust"

_WORK = Feature(
    "core",
    "The run spec, the stages and what they make.",
    commands=(
        Command(
            "quickstart",
            "A task on real data, measured: --task intents, extract, answers or transactions.",
            f"{_HERE}:QuickstartOptions",
            f"{_HERE}:quickstart",
            "spends",
            step="start",
        ),
        Command(
            "check",
            "Report every mistake in a spec and its data, without loading a model.",
            "finewright.schema.options:SpecOptions",
            f"{_HERE}:check",
            "reads",
            is_check=True,
            step="train",
        ),
        Command(
            "plan",
            "Show what would be trained: rows, tokens, steps, settings with their reasons.",
            "finewright.schema.options:SpecOptions",
            f"{_HERE}:plan",
            "reads",
            is_check=True,
            step="train",
        ),
        Command(
            "train",
            "Fine-tune: the stages up to and including train.",
            f"{_HERE}:TrainOptions",
            f"{_HERE}:train",
            "spends",
            step="train",
        ),
        Command(
            "up",
            "Run every stage: skip what is fresh, go on where a run was cut.",
            f"{_HERE}:UpOptions",
            f"{_HERE}:up",
            "spends",
            step="train",
        ),
        Command(
            "evaluate",
            "Measure a tuned or a base model on held-out rows, alone or against others.",
            f"{_HERE}:EvaluateOptions",
            f"{_HERE}:evaluate",
            "spends",
            step="evaluate",
        ),
        Command(
            "chat",
            "Talk to a tuned or a base model; the answer streams.\n\n"
            "Lines from a pipe are each a conversation of their own; a blank line is answered by"
            " a blank line.",
            f"{_HERE}:ChatOptions",
            f"{_HERE}:chat",
            "spends",
            is_talk=True,
            step="evaluate",
        ),
        Command(
            "predict",
            "Answer every row of a file; the same command goes on where it was cut.",
            f"{_HERE}:PredictOptions",
            f"{_HERE}:predict",
            "spends",
            step="evaluate",
        ),
        Command(
            "verify",
            "Recompute every digest and score of a run, or the digests of a bundle; name what differs,"
            " and say who signed it.",
            f"{_HERE}:VerifyOptions",
            f"{_HERE}:verify",
            "reads",
            is_check=True,
            step="prove",
        ),
        Command(
            "doctor",
            "Say what is installed, on which device, what would fail and how to fix it.",
            f"{_HERE}:DoctorOptions",
            f"{_HERE}:doctor",
            "reads",
            is_check=True,
            effects={"selfcheck": "spends"},
        ),
        Command(
            "bench",
            "Measure how fast this machine trains a model; nothing is kept.",
            f"{_HERE}:BenchOptions",
            f"{_HERE}:bench",
            "spends",
        ),
        Command(
            "schema",
            "Print the JSON Schema of the run spec, for editors.",
            "finewright.schema.options:CommandOptions",
            f"{_HERE}:schema",
            "reads",
            is_talk=True,
        ),
        Command(
            "completion",
            "Print the completion script of a shell, which completes commands, options and files.",
            f"{_HERE}:CompletionOptions",
            f"{_HERE}:completion",
            "reads",
            is_talk=True,
        ),
    ),
)

_RUNS = Feature(
    "runs",
    "List the runs, show one, or merge two.",
    step="evaluate",
    commands=(
        Command(
            "runs list",
            "Every run: when, what state, which stages are done.",
            f"{_HERE}:RunsOptions",
            f"{_HERE}:list_runs",
            "reads",
        ),
        Command(
            "runs show",
            "One run with what its stages reported, or what it builds on.",
            f"{_HERE}:ShowRunOptions",
            f"{_HERE}:show_run",
            "reads",
        ),
        Command(
            "runs merge",
            "Make one adapter of two runs on the same base, measured on the rows of both.",
            f"{_HERE}:MergeOptions",
            f"{_HERE}:merge_runs",
            "spends",
        ),
    ),
)

_FACTS = Feature(
    "catalog",
    "Dated facts that estimates stand on: prices, GPUs, deadlines.",
    step="decide",
    commands=(
        Command(
            "catalog list",
            "The facts, each with its source and day, and what ends within a year.",
            f"{_CATALOG}:ListOptions",
            f"{_CATALOG}:list_facts",
            "reads",
        ),
        Command(
            "catalog check",
            "Every mistake in a file of prices, with its line, its key and how to fix it.",
            f"{_CATALOG}:PriceFileOptions",
            f"{_CATALOG}:check",
            "reads",
        ),
        Command(
            "catalog import",
            "Take prices of a file into your own catalog, over the packaged ones.",
            f"{_CATALOG}:ImportOptions",
            f"{_CATALOG}:import_prices",
            "writes",
        ),
        Command(
            "catalog refresh",
            "API prices of the installed genai-prices, without a network.",
            f"{_CATALOG}:RefreshOptions",
            f"{_CATALOG}:refresh",
            "writes",
        ),
    ),
)

_TRUST = Feature(
    "trust",
    "What may run and whose signatures count here: code that came with files, and keys.",
    step="prove",
    commands=(
        Command(
            "trust list",
            "All that you trust on this machine.",
            "finewright.schema.options:CommandOptions",
            f"{_TRUSTED}:list_trusted",
            "reads",
        ),
        Command(
            "trust add",
            "Let Python code run that came with a model or a spec, after you have read it.",
            f"{_TRUSTED}:CodeOptions",
            f"{_TRUSTED}:add",
            "writes",
            is_by_hand=True,
        ),
        Command(
            "trust key",
            "Know the public key of another user or machine, whose runs you take.",
            f"{_TRUSTED}:KeyOptions",
            f"{_TRUSTED}:key",
            "writes",
            is_by_hand=True,
        ),
        Command(
            "trust remove",
            "Trust code or a key no longer.",
            f"{_TRUSTED}:RemoveOptions",
            f"{_TRUSTED}:remove",
            "writes",
            is_by_hand=True,
        ),
    ),
)

CORE = (_WORK, _RUNS, _FACTS, _TRUST)


def list_features() -> tuple[Feature, ...]:
    """Who brings commands: the core, then the features."""
    return (*CORE, *features().values())


def commands() -> Mapping[str, tuple[Feature, Command]]:
    """Every command by its name, with its feature."""
    return {
        command.name: (feature, command)
        for feature in list_features()
        for command in feature.commands
    }


def command_named(name: str) -> tuple[Feature, Command]:
    """The command that `finewright NAME` is, and its feature. Raises FinewrightError where there is none, and
    MissingExtra where a package brings it that is not installed."""
    known = commands()
    if name not in known:
        require_package(name.partition(" ")[0])
        hint = suggest(name, known, "`finewright --help` lists them")
        raise FinewrightError(f"there is no command {name!r}", hint=hint)
    return known[name]


def require_package(word: str) -> None:
    """Raise MissingExtra where that word is of a package that is not installed."""
    if word in plugins.not_installed("feature"):
        plugins.resolve("feature", word)
    plugins.require_command(word)


def options_of(command: Command, given: Mapping[str, Any]) -> Any:  # Any: its own CommandOptions
    """What was given by the names of the options. Raises DataError for what is missing, unknown or wrong."""
    from pydantic import ValidationError

    from finewright.schema.options import find_runs

    model = plugins.load(command.options)
    try:
        return model.model_validate(find_runs(model, given))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
    where = ".".join(map(str, first["loc"]))
    what = "no such option" if first["type"] == "extra_forbidden" else first["msg"]
    what = f"{command.name}: {where}: {what.removeprefix('Value error, ')}"
    raise DataError(what, hint=f"its options: {', '.join(model.model_fields)}")


def run_command(name: str, given: Mapping[str, Any], session: Session) -> Any:  # Any: its report
    """What the command of that name returns for these options."""
    feature, command = command_named(name)
    check_needs(feature)
    try:
        return plugins.load(command.run)(options_of(command, given), session)
    except ModuleNotFoundError as error:
        if missing := missing_extra(error):
            raise missing from None
        raise


def for_programs() -> list[Command]:
    """The commands that a program may call: all that neither talk nor decide whom this machine trusts."""
    found = (command for _, command in commands().values())
    return [command for command in found if not (command.is_talk or command.is_by_hand)]


def run_unattended(name: str, given: Mapping[str, Any]) -> Any:  # Any: its report
    """`run_command` where nobody watches: a command that asks a person is refused."""
    return run_command(name, given, Session(ask_day(), lambda *_: None, lambda _: None, _nobody))


def _nobody(question: str) -> str:
    raise DataError("this asks a person, and nobody is here to answer", hint="give its options")
