"""`finewright catalog`: parse, call one workbench function, print."""

from datetime import date
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

catalog_app = typer.Typer(
    no_args_is_help=True, help="Dated facts that estimates stand on: prices, GPUs, deadlines."
)


class FileFormat(StrEnum):
    """What a file of prices is."""

    AUTO = "auto"
    PRICES = "prices"
    GPUHUNT = "gpuhunt"
    SKYPILOT = "skypilot"
    LITELLM = "litellm"


Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
PriceFile = Annotated[Path, typer.Argument(metavar="FILE", help="A file of prices.")]


@catalog_app.command("list")
def catalog_list(
    section: Annotated[str, typer.Option(help="gpus, machines, apis or storage.")] = "",
    provider: Annotated[str, typer.Option(help="Of one provider.")] = "",
    gpu: Annotated[str, typer.Option(help="With one GPU.")] = "",
    json: Json = False,
) -> None:
    """The facts, each with its source and day, and what ends within a year."""
    from finewright.cli import output
    from finewright.workbench.catalog import list_catalog

    report = list_catalog(_folder(), date.today(), section=section, provider=provider, gpu=gpu)
    output.show(report, as_json=json)


@catalog_app.command("check")
def catalog_check(file: PriceFile, json: Json = False) -> None:
    """Every mistake in a file of prices, with line, key and mend."""
    from finewright.cli import output
    from finewright.workbench.catalog import check_file

    output.show(check_file(file, _folder(), date.today()), as_json=json)


@catalog_app.command("import")
def catalog_import(
    file: PriceFile,
    format_: Annotated[
        FileFormat, typer.Option("--format", help="What the file is.")
    ] = FileFormat.AUTO,
    source: Annotated[str, typer.Option(help="Where the file is from, if it does not say.")] = "",
    observed_at: Annotated[str, typer.Option(help="The day of its prices, YYYY-MM-DD.")] = "",
    provider: Annotated[str, typer.Option(help="The provider, if it does not say.")] = "",
    region: Annotated[str, typer.Option(help="Keep the regions that begin so.")] = "",
    json: Json = False,
) -> None:
    """Take prices of a file into your own catalog, over the packaged ones."""
    from finewright.cli import output
    from finewright.workbench.catalog import Said, import_file

    said = Said(source, observed_at, provider, region)
    report = import_file(file, _folder(), date.today(), format=format_.value, said=said)
    output.show(report, as_json=json)


@catalog_app.command("refresh")
def catalog_refresh(
    model: Annotated[
        list[str] | None, typer.Option(help="PROVIDER/MODEL to add; repeatable.")
    ] = None,
    json: Json = False,
) -> None:
    """API prices of the installed genai-prices, without a network."""
    from finewright.cli import output
    from finewright.workbench.catalog import refresh

    output.show(refresh(_folder(), date.today(), also=tuple(model or ())), as_json=json)


def _folder() -> Path:
    from finewright.catalog.prices import USER_PRICES

    return Path(USER_PRICES).expanduser()
