"""TensorBoard: event files in a folder, which `tensorboard --logdir FOLDER` shows."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from finewright.store.tracker import TrackedRun, TrackedValues, TrackerPlugin

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter


class _EventFiles:
    def __init__(self, writer: "SummaryWriter") -> None:
        self._writer = writer

    def log_params(self, params: Mapping[str, str]) -> None:
        """As a table under Text."""
        rows = "\n".join(f"| {name} | {value} |" for name, value in params.items())
        self._writer.add_text("settings", f"| setting | value |\n|---|---|\n{rows}")
        self._writer.flush()

    def log_values(self, records: Sequence[TrackedValues]) -> None:
        """A point of a curve for each figure."""
        for record in records:
            for name, value in record.values.items():
                self._writer.add_scalar(name, value, record.step, walltime=record.time)
        self._writer.flush()

    def close(self, state: str) -> None:
        """Close the file; how the run ended is a text."""
        self._writer.add_text("state", state)
        self._writer.close()


def _open(run: TrackedRun) -> _EventFiles:
    """A new event file of the run's folder: below `uri`, which is shared by runs, or in the run itself."""
    from torch.utils.tensorboard import SummaryWriter

    folder = f"{run.uri}/{run.project}/{run.name}" if run.uri else str(run.folder)
    return _EventFiles(SummaryWriter(folder))


PLUGIN = TrackerPlugin("tensorboard", "bridge[tensorboard]", _open)
