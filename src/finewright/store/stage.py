"""What a stage is given and what it gives back; the rest of the run folder is not its business."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol

from finewright.schema.common import Artifact, Model
from finewright.schema.run import RunSpec
from finewright.schema.train import SFTSpec
from finewright.store.rundir import RunDir


class Emit(Protocol):
    """Append an event to the run's log."""

    def __call__(self, event_type: str, /, **fields: object) -> None:
        """Write it, and show it to whoever watches."""
        ...


@dataclass(frozen=True, slots=True)
class StageContext:
    """One stage of one run.

    `candidates` holds the train settings of each base model with nothing left open. A stage asks
    `should_stop` between its steps and raises Interrupted, with what it reached on disk, when told so."""

    spec: RunSpec
    candidates: Mapping[str, SFTSpec]
    root: Path
    run: RunDir
    key: str
    emit: Emit
    should_stop: Callable[[], int]

    def resolve(self, path: str) -> Path:
        """A path of the spec, which is relative to the spec's own folder."""
        return self.root / Path(path).expanduser()


class StageResult(NamedTuple):
    """A report, the files beside it, and the digests of what was read."""

    report: Model
    artifacts: tuple[Artifact, ...]
    inputs: tuple[str, ...]
