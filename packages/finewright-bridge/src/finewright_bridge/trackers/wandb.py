"""Weights & Biases, offline: a folder that `wandb sync FOLDER` uploads when you say so.

Nothing leaves the machine, and no key is asked for. What W&B would gather by itself (console, git, host) is
switched off, so that only what the run says of itself is in the folder."""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from finewright.store.keys import digest
from finewright.store.tracker import TrackedRun, TrackedValues, TrackerPlugin

if TYPE_CHECKING:
    import wandb

_ID_LENGTH = (
    16  # 64 bits: of a million runs in a project no two are alike but with a chance of 3e-8
)

_SECOND = 1.1  # W&B names a folder by the second, and would write over one of the same


class _Offline:
    def __init__(self, run: "wandb.Run") -> None:
        self._run = run
        # Steps that come again after a checkpoint are no error on an axis of one's own.
        run.define_metric("*", step_metric="at_step")

    def log_params(self, params: Mapping[str, str]) -> None:
        """As the config of the run."""
        self._run.config.update(dict(params), allow_val_change=True)

    def log_values(self, records: Sequence[TrackedValues]) -> None:
        """As history, on the axis `at_step`."""
        for record in records:
            self._run.log({**record.values, "at_step": record.step, "at_time": record.time})

    def close(self, state: str) -> None:
        """Finish; a state other than `finished` is an exit code of 1."""
        self._run.summary["state"] = state
        self._run.finish(exit_code=0 if state == "finished" else 1)


def _open(run: TrackedRun) -> _Offline:
    import wandb

    folder = Path(run.uri) if run.uri else run.folder
    run_id = digest(run.key, run.name)[:_ID_LENGTH]
    if any(folder.glob(f"wandb/offline-run-*-{run_id}")):
        time.sleep(_SECOND)
    folder.mkdir(parents=True, exist_ok=True)
    settings = wandb.Settings(
        console="off",
        disable_code=True,
        disable_git=True,
        save_code=False,
        silent=True,
        x_disable_meta=True,
        x_disable_stats=True,
    )
    return _Offline(
        wandb.init(
            mode="offline",
            project=run.project,
            id=run_id,
            name=run.name,
            dir=str(folder),
            settings=settings,
        )
    )


PLUGIN = TrackerPlugin("wandb", "bridge[wandb]", _open)
