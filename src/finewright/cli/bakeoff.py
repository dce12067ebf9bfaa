"""`finewright bakeoff` and `finewright tune`: parse, call one workbench function, print."""

from pathlib import Path
from typing import Annotated

import typer

SpecPath = Annotated[Path, typer.Argument(metavar="SPEC", help="The run spec, a YAML file.")]
Set = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Override a key, e.g. train.max_steps=8."),
]
Runs = Annotated[Path, typer.Option("--runs", help="The folder that holds the runs.")]
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]


def bakeoff(
    spec: SpecPath,
    set_: Set = None,
    runs: Runs = Path("runs"),
    html: Annotated[Path | None, typer.Option(help="Write the page here as well.")] = None,
    json: Json = False,
) -> None:
    """Which base model? Train each on the same rows, drop the worse ones, and compare the rest."""
    from datetime import date

    from finewright.cli import output
    from finewright.features.bakeoff.run import bakeoff as run
    from finewright.report.show import write_page
    from finewright.schema.load import load_spec
    from finewright.workbench.pages import check_page

    check_page(html, [spec])
    loaded, watch = load_spec(spec, set_ or ()), output.watch(json)
    report = run(loaded, runs, today=date.today(), on_event=watch)
    if html:
        write_page(report, html)
    output.show(report, as_json=json)


def tune(
    spec: SpecPath,
    set_: Set = None,
    runs: Runs = Path("runs"),
    out: Annotated[
        Path | None, typer.Option(help="The spec with the best settings; default: beside SPEC.")
    ] = None,
    json: Json = False,
) -> None:
    """Which settings? Search those that `tune` names, and say on untouched rows what they gain."""
    from finewright.cli import output
    from finewright.features.tune.run import tune as run
    from finewright.schema.load import load_spec

    loaded, watch = load_spec(spec, set_ or ()), output.watch(json)
    output.show(run(loaded, runs, out=out, on_event=watch), as_json=json)
