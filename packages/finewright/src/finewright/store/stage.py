"""What a stage is given and what it gives back; the rest of the run folder is not its business."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, Protocol

from finewright.errors import DataError
from finewright.place import bring, is_address
from finewright.schema.common import Artifact, Model, Problem, errors_of
from finewright.schema.listing import list_problems
from finewright.schema.run import RunSpec
from finewright.schema.train import TrainSettings
from finewright.store.rundir import RunDir


class Emit(Protocol):
    """Append an event to the run's log."""

    def __call__(self, event_type: str, /, **fields: object) -> None:
        """Write it, and show it to whoever watches."""
        ...


@dataclass(frozen=True, slots=True)
class StageContext:
    """One stage of one run.

    `candidates` holds the train settings of each base model with nothing left open, `commits` which state of
    the hub's model the run was begun with, where it is one of the hub's. A stage asks
    `should_stop` between its steps and raises Interrupted, with what it reached on disk, when told so."""

    spec: RunSpec
    candidates: Mapping[str, TrainSettings]
    root: Path
    run: RunDir
    key: str
    emit: Emit
    should_stop: Callable[[], int]
    commits: Mapping[str, str] = field(default_factory=dict)

    def resolve(self, path: str) -> Path:
        """A path of the spec, which is relative to the spec's own folder; what is elsewhere is fetched."""
        if is_address(path):
            return bring(path)
        return self.root / Path(path).expanduser()


class StageResult(NamedTuple):
    """A report, the files beside it, and the digests of what was read."""

    report: Model
    artifacts: tuple[Artifact, ...]
    inputs: tuple[str, ...]


def refuse(problems: Sequence[Problem]) -> None:
    """Raise DataError where there is an error: a line for each kind, with its first row and their number."""
    errors = list_problems(errors_of(problems))
    if errors:
        raise DataError("\n".join(problem.line() for problem in errors))
