"""What an experiment keeps beside its answers, so that one that was killed goes on where it was."""

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel

from finewright.store.atomic import os_errors, read_json, write_json

Record = TypeVar("Record", bound=BaseModel)


def kept(path: Path, model: type[Record], make: Callable[[], Record]) -> Record:
    """The record in the file, or the one that is made now and put there."""
    if path.is_file():
        return read_json(path, model, hint="remove the file; it is made again")
    record = make()
    with os_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    write_json(path, record.model_dump(mode="json"))
    return record
