"""The commands of `finewright catalog`: the options of each, and the one call that it is."""

from pathlib import Path
from typing import Annotated

from pydantic import BaseModel

from finewright.feature import Session
from finewright.schema.options import CommandOptions, Flag, argument, option


class ListOptions(CommandOptions):
    """Which facts are shown."""

    section: str = option("", "One section, such as gpus, machines, apis or tunings.")
    provider: str = option("", "Of one provider.")
    gpu: str = option("", "With one GPU.")


class PriceFileOptions(CommandOptions):
    """A file of prices."""

    file: Annotated[Path, argument("FILE")] = option(..., "A file of prices.")


class ImportOptions(PriceFileOptions):
    """What the file is, and what it does not say of its prices."""

    format: str = option(
        "auto", "prices (our YAML), machines, apis, gpuhunt, skypilot, litellm, or a package's own."
    )
    source: str = option("", "Where the file is from, if it does not say.")
    observed_at: str = option("", "The day of its prices, YYYY-MM-DD.")
    provider: str = option("", "The provider, if it does not say.")
    region: str = option("", "Keep the regions that begin so.")
    bad_lines: bool = option(False, "List every line with a wrong cell.")


class RefreshOptions(CommandOptions):
    """Which models are added."""

    models: Annotated[tuple[str, ...], Flag("--model")] = option(
        (), "PROVIDER/MODEL to add; repeatable."
    )


def list_facts(options: ListOptions, session: Session) -> BaseModel:
    """The facts that match."""
    from finewright.workbench.catalog import list_catalog

    return list_catalog(_folder(), session.today, **dict(options))


def check(options: PriceFileOptions, session: Session) -> BaseModel:
    """Every mistake of the file."""
    from finewright.workbench.price_files import check_file

    return check_file(options.file, _folder(), session.today)


def import_prices(options: ImportOptions, session: Session) -> BaseModel:
    """The file's prices, in the user's own catalog."""
    from finewright.workbench.price_files import ImportStatement, import_file

    o = options
    said = ImportStatement(o.source, o.observed_at, o.provider, o.region)
    done = import_file(o.file, _folder(), session.today, format=o.format, said=said)
    return done.model_copy(update={"lists_all": o.bad_lines})


def refresh(options: RefreshOptions, session: Session) -> BaseModel:
    """The prices of the installed genai-prices."""
    from finewright.workbench.price_files import refresh as run

    return run(_folder(), session.today, also=options.models)


def _folder() -> Path:
    from finewright.catalog.prices import own_folder

    return own_folder()
