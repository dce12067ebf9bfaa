"""`finewright board`: its options, and the call that it is."""

from pathlib import Path
from typing import Annotated

from pydantic import BaseModel

from finewright.feature import Session
from finewright.schema.options import CommandOptions, argument, option


class BoardOptions(CommandOptions):
    """What stands on the board."""

    folders: Annotated[tuple[Path, ...], argument("FOLDER...")] = option(
        ..., "Runs, and experiments of `decide --measure`.", min_length=1
    )


def show_board(options: BoardOptions, session: Session) -> BaseModel:
    """The board of these folders, in their order."""
    from finewright_advice.board.read import read_board

    return read_board(options.folders)
