"""`finewright`: parse, call one workbench function, print. No logic lives here, nothing heavy loads here."""

import sys
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from finewright.cli.bakeoff import bakeoff, tune
from finewright.cli.data import data_app
from finewright.cli.data_options import Columns, Format
from finewright.cli.facts import catalog_app
from finewright.cli.migrate import migrate_app
from finewright.cli.predict import predict
from finewright.cli.rag import rag_app
from finewright.errors import FinewrightError
from finewright.fetch.telemetry import turn_off_telemetry
from finewright.lm.runtime import share_cores

app = typer.Typer(
    name="finewright",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="Adapt a language model to your own task, on your own machines, and prove what you did.",
)
runs_app = typer.Typer(no_args_is_help=True, help="List the runs, or show one.")
app.add_typer(data_app, name="data")
app.add_typer(catalog_app, name="catalog")
app.add_typer(rag_app, name="rag")
app.add_typer(migrate_app, name="migrate")
app.add_typer(runs_app, name="runs")
for command in (bakeoff, tune, predict):
    app.command()(command)


def _print_version(wanted: bool) -> None:
    if wanted:
        from finewright import __version__

        sys.stdout.write(f"finewright {__version__}\n")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version."
        ),
    ] = False,
) -> None:
    """Adapt a language model to your own task, on your own machines, and prove what you did."""


SpecPath = Annotated[Path, typer.Argument(metavar="SPEC", help="The run spec, a YAML file.")]
RunPath = Annotated[Path, typer.Argument(metavar="RUN", help="A run folder.")]
Target = Annotated[
    str, typer.Argument(metavar="RUN_OR_MODEL", help="A run folder, or a base model by name.")
]
Set = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Override a key, e.g. train.epochs=1."),
]
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
Runs = Annotated[Path, typer.Option("--runs", help="The folder that holds the runs.")]
New = Annotated[bool, typer.Option("--new", help="Start a new run even if this spec has one.")]
BaseModel = Annotated[
    str, typer.Option("--base-model", help="Which candidate of a run with several.")
]


@app.command()
def quickstart(
    minutes: Annotated[float, typer.Option(min=0.1, help="About how long to train.")] = 4.0,
    folder: Annotated[Path, typer.Option(help="Where data and spec go.")] = Path("quickstart"),
    runs: Runs = Path("runs"),
    json: Json = False,
) -> None:
    """Fine-tune a real model on real data, and show what it gained."""
    from finewright.cli import output
    from finewright.workbench.quickstart import quickstart as run

    result = run(folder, runs, minutes=minutes, on_event=output.watch(json))
    output.show(result, as_json=json)


@app.command()
def decide(
    spec: Annotated[
        Path | None,
        typer.Argument(metavar="[SPEC]", help="A spec with `decide`; without one, you are asked."),
    ] = None,
    measure: Annotated[
        bool, typer.Option("--measure", help="Run the experiment of the spec's `measure` instead.")
    ] = False,
    set_: Set = None,
    html: Annotated[Path | None, typer.Option(help="Write the report as one page here.")] = None,
    prices: Annotated[
        Path | None, typer.Option(help="Folder of your own prices.", show_default=False)
    ] = None,
    today: Annotated[
        str, typer.Option(help="As on another day, YYYY-MM-DD.", show_default=False)
    ] = "",
    runs: Runs = Path("runs"),
    json: Json = False,
) -> None:
    """Prompt, retrieve, fine-tune, or combine? A ranking with reasons, and what would change it."""
    from finewright.cli import output
    from finewright.cli.decide import check_places, day_of, measured, path_of
    from finewright.features.decide.run import decide_file, write_page

    check_places(spec, html, prices)
    if measure:
        output.show(
            measured(spec, set_ or (), runs, html, prices, output.watch(json)), as_json=json
        )
        return
    report = decide_file(path_of(spec), set_ or (), today=day_of(today), user_prices=prices)
    if html:
        write_page(report, html)
    output.show(report, as_json=json)


@app.command()
def cost(
    spec: SpecPath,
    set_: Set = None,
    trace: Annotated[
        bool, typer.Option("--trace", help="Trace the training step on tensors without data.")
    ] = False,
    calibrate: Annotated[
        bool, typer.Option("--calibrate", help="Time some real steps on this machine.")
    ] = False,
    runs: Runs = Path("runs"),
    json: Json = False,
) -> None:
    """Which machines fit, how long, how much; and what would fit where it does not."""
    from datetime import date

    from finewright.cli import output
    from finewright.features.cost.forecast import cost as run
    from finewright.schema.load import load_spec

    loaded, today = load_spec(spec, set_ or ()), date.today()
    report = run(loaded, trace=trace, calibrate=calibrate, runs=runs, today=today)
    output.show(report, as_json=json)
    raise typer.Exit(0 if report.passed else 2)


@app.command()
def check(spec: SpecPath, set_: Set = None, json: Json = False) -> None:
    """Report every mistake in a spec and its data, without loading a model."""
    from finewright.cli import output
    from finewright.schema.load import load_spec
    from finewright.workbench.check import check as run

    report = run(load_spec(spec, set_ or ()))
    output.show(report, as_json=json)
    raise typer.Exit(0 if report.passed else 2)


@app.command()
def plan(spec: SpecPath, set_: Set = None, json: Json = False) -> None:
    """Show what would be trained: rows, tokens, steps, settings with their reasons."""
    from finewright.cli import output
    from finewright.schema.load import load_spec
    from finewright.workbench.plan import plan as run

    report = run(load_spec(spec, set_ or ()))
    output.show(report, as_json=json)
    raise typer.Exit(0 if report.passed else 2)


@app.command()
def train(
    spec: SpecPath,
    set_: Set = None,
    runs: Runs = Path("runs"),
    new: New = False,
    json: Json = False,
) -> None:
    """Fine-tune: the stages up to and including train."""
    from finewright.cli import output
    from finewright.schema.load import load_spec
    from finewright.workbench.up import up as run

    loaded, watch = load_spec(spec, set_ or ()), output.watch(json)
    output.show(run(loaded, runs, on_event=watch, new=new, through="train"), as_json=json)


@app.command()
def up(
    spec: Annotated[Path, typer.Argument(metavar="SPEC", help="A run spec, or a run folder.")],
    set_: Set = None,
    runs: Runs = Path("runs"),
    new: New = False,
    json: Json = False,
) -> None:
    """Run every stage: skip what is fresh, go on where a run was cut."""
    from finewright.cli import output
    from finewright.workbench.up import up_path

    watch = output.watch(json)
    output.show(up_path(spec, set_ or (), runs, on_event=watch, new=new), as_json=json)


@app.command()
def evaluate(
    target: Target,
    data: Annotated[
        list[str], typer.Option("--data", help="Held-out rows in any format; repeatable.")
    ],
    metric: Annotated[list[str] | None, typer.Option(help="A metric by name; repeatable.")] = None,
    against: Annotated[list[str] | None, typer.Option(help="Compare with; repeatable.")] = None,
    format_: Format = "auto",
    column: Columns = None,
    limit: Annotated[
        int | None, typer.Option(min=1, help="Only so many rows of each file, drawn by the seed.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of the rows drawn and of the intervals.")] = 0,
    max_new_tokens: Annotated[int, typer.Option(min=1, help="Longest answer in tokens.")] = 256,
    samples: Annotated[
        Path | None,
        typer.Option(help="Where the answers go; default: samples.jsonl, or the next free."),
    ] = None,
    base_model: BaseModel = "",
    json: Json = False,
) -> None:
    """Measure a tuned or a base model on held-out rows, alone or against others."""
    from finewright.cli import output
    from finewright.cli.data_options import columns_of
    from finewright.workbench.evaluate import evaluate as run
    from finewright.workbench.evaluate import free_name, spec_of

    rows = {"format": format_, "columns": columns_of(column), "limit": limit}
    spec = spec_of(data, metric or (), rows, max_new_tokens=max_new_tokens, seed=seed)
    watch = output.watch_answers(json)
    targets = [target, *(against or ())]
    report = run(targets, spec, samples or free_name(), base_model=base_model, on_progress=watch)
    output.show(report, as_json=json)


@app.command()
def chat(
    target: Target,
    prompt: Annotated[str, typer.Option("--prompt", "-p", help="Ask once and end.")] = "",
    system: Annotated[str, typer.Option(help="The system prompt; default: the run's own.")] = "",
    max_new_tokens: Annotated[int, typer.Option(min=1, help="Longest answer in tokens.")] = 256,
    temperature: Annotated[float, typer.Option(min=0.0, help="0 is greedy.")] = 0.0,
    seed: Annotated[int, typer.Option(help="Seed of the sampling.")] = 0,
    base_model: BaseModel = "",
) -> None:
    """Talk to a tuned or a base model; the answer streams.

    Lines from a pipe are each a conversation of their own; a blank line is answered by a blank line."""
    from finewright.cli.talk import talk
    from finewright.workbench.chat import Manner
    from finewright.workbench.systems import load_talker

    manner = Manner(max_new_tokens=max_new_tokens, temperature=temperature, seed=seed)
    talk(load_talker(target, base_model=base_model), manner, system=system, prompt=prompt)


@app.command()
def verify(run: RunPath, json: Json = False) -> None:
    """Recompute every digest of a run and name what is missing or changed."""
    from finewright.cli import output
    from finewright.workbench.runs import verify as check_run

    report = check_run(run)
    output.show(report, as_json=json)
    raise typer.Exit(0 if report.passed else 2)


@app.command()
def doctor(
    base_model: Annotated[
        str, typer.Argument(metavar="BASE_MODEL", help="By name, for --selfcheck.")
    ] = "",
    selfcheck: Annotated[
        bool, typer.Option("--selfcheck", help="Compare the engine with plain transformers.")
    ] = False,
    json: Json = False,
) -> None:
    """Say what is installed, on which device, what would fail and how to mend it."""
    from finewright.cli import output
    from finewright.workbench import doctor as uses

    if base_model and not selfcheck:
        raise typer.BadParameter("a base model is for --selfcheck, which is not given")
    report = uses.selfcheck(base_model, output.watch(json)) if selfcheck else uses.doctor()
    output.show(report, as_json=json)
    raise typer.Exit(0 if report.passed else 2)


@app.command()
def bench(
    base_model: Annotated[
        str, typer.Argument(metavar="BASE_MODEL", help="A base model by name.")
    ] = "smollm2-135m-instruct",
    data: Annotated[
        Path | None, typer.Option(help="Rows to train on, JSONL; default: the solidity set.")
    ] = None,
    steps: Annotated[int, typer.Option(help="Steps to train, the first two to warm up.")] = 8,
    batch_size: Annotated[int, typer.Option(min=1, help="Rows of a step.")] = 8,
    max_length: Annotated[
        int, typer.Option(min=8, help="Leave longer rows out; in tokens.")
    ] = 1024,
    threads: Annotated[
        int | None, typer.Option(min=1, help="CPU threads; default: one per physical core.")
    ] = None,
    json: Json = False,
) -> None:
    """Measure how fast this machine trains a model; nothing is kept."""
    from finewright.cli import output
    from finewright.workbench.bench import Load
    from finewright.workbench.bench import bench as run

    load = Load(data, steps, batch_size, max_length, threads)
    output.show(run(base_model, load, output.watch(json)), as_json=json)


@app.command()
def schema() -> None:
    """Print the JSON Schema of the run spec, for editors."""
    from finewright.cli import output
    from finewright.schema.load import json_schema

    output.show_json(json_schema())


@runs_app.command("list")
def runs_list(runs: Runs = Path("runs"), json: Json = False) -> None:
    """Every run: when, what state, which stages are done."""
    from finewright.cli import output
    from finewright.workbench.runs import list_runs

    output.show(list_runs(runs), as_json=json)


@runs_app.command("show")
def runs_show(run: RunPath, json: Json = False) -> None:
    """One run with what its stages reported."""
    from finewright.cli import output
    from finewright.workbench.runs import show

    output.show(show(run), as_json=json)


def main() -> None:
    """Run the command line; every error is one line and an exit code, never a traceback."""
    share_cores()
    turn_off_telemetry()
    try:
        code = app(prog_name="finewright", standalone_mode=False)
    except FinewrightError as error:
        _fail(str(error), error.hint, error.exit_code)
    except _UsageError as error:
        _fail_usage(error)
    sys.exit(code if isinstance(code, int) else 0)


# Typer gives the class of all mistakes on the command line no name of its own.
_UsageError: Any = typer.BadParameter.__base__  # Any: from a class that is looked up


def _fail_usage(error: Any) -> NoReturn:  # Any: see _UsageError
    context, message = error.ctx, error.format_message()
    # A group of commands alone is answered by its help.
    if context and message == context.get_help():
        sys.stderr.write(f"{message}\n")
        sys.exit(2)
    _fail(message, f"{context.command_path} --help" if context else "finewright --help", 2)


def _fail(message: str, hint: str, code: int) -> NoReturn:
    sys.stderr.write(f"error: {message}\n")
    if hint:
        sys.stderr.write(f" hint: {hint}\n")
    sys.exit(code)


if __name__ == "__main__":
    main()
