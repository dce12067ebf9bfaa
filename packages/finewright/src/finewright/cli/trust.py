"""The commands of `finewright trust`: the options of each, and the one call that it is."""

from pathlib import Path
from typing import Annotated

from pydantic import BaseModel

from finewright.feature import Session
from finewright.schema.options import CommandOptions, argument, option


class CodeOptions(CommandOptions):
    """Code that was read."""

    path: Annotated[Path, argument("PATH")] = option(
        ..., "A Python file, or the folder of a model that brings code."
    )


class KeyOptions(CommandOptions):
    """A key, and whose it is."""

    key: Annotated[str, argument("KEY")] = option(..., "A public key: 64 hex digits.")
    name: Annotated[str, argument("NAME")] = option(..., "Whose it is.")


class RemoveOptions(CommandOptions):
    """What is trusted no longer."""

    what: Annotated[str, argument("WHAT")] = option(..., "A digest, key, path or name of the list.")


def list_trusted(options: CommandOptions, session: Session) -> BaseModel:
    """All that the user trusts."""
    from finewright.workbench.trust import list_trusted as run

    return run()


def add(options: CodeOptions, session: Session) -> BaseModel:
    """The code of a file or folder."""
    from finewright.workbench.trust import trust_code

    return trust_code(options.path, session.today)


def key(options: KeyOptions, session: Session) -> BaseModel:
    """The key of another user or machine."""
    from finewright.workbench.trust import trust_key

    return trust_key(options.key, options.name, session.today)


def remove(options: RemoveOptions, session: Session) -> BaseModel:
    """Something of the list."""
    from finewright.workbench.trust import distrust

    return distrust(options.what)
