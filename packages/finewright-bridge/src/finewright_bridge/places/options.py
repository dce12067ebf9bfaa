"""What is typed after `finewright push`, `pull` and `alias`."""

from pathlib import Path
from typing import Annotated

from finewright.schema.options import CommandOptions, RunPath, Runs, argument, option


class PushOptions(CommandOptions):
    """A run or a bundle, and where it goes."""

    run: Annotated[Path, argument("RUN_OR_BUNDLE")] = option(
        ..., "A run folder, or a bundle of `finewright release`."
    )
    to: Annotated[str, argument("ADDRESS")] = option(
        ..., "s3://, gs:// or az://: the folder in which it gets one of its name."
    )
    dry_run: bool = option(False, "Only list what would be uploaded.")


class PullOptions(CommandOptions):
    """A run that was pushed, and the folder for it."""

    address: Annotated[str, argument("ADDRESS")] = option(
        ..., "Of the run or bundle, or of an alias: s3://BUCKET/FOLDER/NAME@ALIAS."
    )
    runs: Runs = Path("runs")


class SetAliasOptions(CommandOptions):
    """A name for a run that stays when the run is another."""

    alias: Annotated[str, argument("NAME@ALIAS")] = option(..., "e.g. support-bot@production.")
    run: RunPath
    at: str = option("", "For pushed runs: the address of their folder; RUN is a name there.")
    runs: Runs = Path("runs")


class ListAliasesOptions(CommandOptions):
    """Whose aliases."""

    at: str = option("", "Of pushed runs: the address of their folder.")
    runs: Runs = Path("runs")
