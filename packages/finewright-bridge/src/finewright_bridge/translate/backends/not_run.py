"""Frameworks whose files are written and that are not run here: nobody could try them, for want of a GPU."""

from collections.abc import Iterator
from typing import NoReturn

from finewright.errors import StageError
from finewright.schema.common import Problem
from finewright.schema.train import TrainSettings
from finewright.train.backends import BackendJob


class NotRun:
    """A framework that refuses, with the command that writes its files."""

    def __init__(self, name: str) -> None:
        self.name = name

    def problems(self, spec: TrainSettings) -> Iterator[Problem]:
        """That it is not run."""
        yield Problem(level="error", key="train.backend", message=self._why(), hint=self._hint())

    def train(self, job: BackendJob) -> NoReturn:
        """Raises StageError."""
        raise StageError(self._why(), hint=self._hint())

    def _why(self) -> str:
        return f"finewright does not run {self.name}: it needs a GPU, and was not tried on one"

    def _hint(self) -> str:
        return f"`finewright export-config SPEC --to {self.name}` writes its files; trl trains here"


AXOLOTL = NotRun("axolotl")
LLAMAFACTORY = NotRun("llamafactory")
TORCHTUNE = NotRun("torchtune")
UNSLOTH = NotRun("unsloth")
