"""What `finewright comply` can be given."""

from pathlib import Path
from typing import Annotated

from finewright.schema.options import CommandOptions, Flag, RunPath, option
from finewright_trust.comply.spec import Role


class ComplyOptions(CommandOptions):
    """A run, the roles and regimes to look at it by, and where the dossier goes."""

    run: RunPath
    roles: Annotated[tuple[Role, ...], Flag("--role")] = option(
        (), "provider, deployer or modifier; repeatable. Default: those of the answers."
    )
    regimes: Annotated[tuple[str, ...], Flag("--regime")] = option(
        (), "A regime by id, or all; repeatable. Default: those of the answers."
    )
    answers: Path | None = option(
        None, "What people say, a YAML file. Default: `comply` of the run's spec."
    )
    init: Path | None = option(
        None,
        "Write the answers that nobody gave yet to this new file, to be filled in; no dossier.",
    )
    out: Path | None = option(None, "A new folder for the dossier. Default: comply/ in the run.")
    pdf: Path | None = option(None, "Write the dossier as one PDF to this new file as well.")
