"""`finewright data`: parse, call one workbench function, print."""

from pathlib import Path
from typing import Annotated

import typer

data_app = typer.Typer(
    no_args_is_help=True, help="Look at data, check and mend it; build data sets."
)

Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]


@data_app.command("list")
def data_list(json: Json = False) -> None:
    """The data sets, their packages and licences."""
    from finewright.catalog.sets import data_sets
    from finewright.cli import output

    output.show(data_sets(), as_json=json)


@data_app.command("get")
def data_get(
    name: Annotated[str, typer.Argument(help="A data set by name, e.g. erc7730.")],
    out: Annotated[Path | None, typer.Option(help="Folder for the files.")] = None,
    json: Json = False,
) -> None:
    """Fetch and build a data set: JSONL files with a record of where they came from."""
    from finewright.cli import output
    from finewright.data.sets.build import build_set

    output.show(build_set(name, out or Path("datasets") / name), as_json=json)
