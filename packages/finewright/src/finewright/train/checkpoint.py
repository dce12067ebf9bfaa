"""Checkpoints: all that decides the next step, so a cut run ends bitwise as an uninterrupted one.

A checkpoint is a folder that appears whole (written aside, then renamed) and lists the digest of each
file and its own. One that is damaged, incomplete or of another run is noticed, said, and passed over."""

import hashlib
import json
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from safetensors.torch import load_file
from torch import Tensor

from finewright.errors import StoreError
from finewright.lm.tensors import save_tensors
from finewright.schema.common import Problem
from finewright.store.atomic import replace_dir, sha256_file

_STATE = "state.json"
_WEIGHTS = "weights.safetensors"
_OPTIMIZER = "optimizer.safetensors"
_METHOD = "method.safetensors"
KEEP = 2


@dataclass(frozen=True, slots=True)
class CheckpointProgress:
    """Where a run stands after `step` steps; the best held-out loss so far, and its step."""

    step: int = 0
    tokens: int = 0
    trained_tokens: int = 0
    seconds: float = 0.0
    first_loss: float = 0.0
    best_loss: float | None = None
    best_step: int = 0


@dataclass(frozen=True, slots=True)
class State:
    """All tensors that decide the next step: what is trained, the optimiser's, and the method's own."""

    weights: Mapping[str, Tensor]
    optimizer: Mapping[str, Tensor]
    method: Mapping[str, Tensor]

    def files(self) -> dict[str, Mapping[str, Tensor]]:
        """File name -> tensors."""
        return {_WEIGHTS: self.weights, _OPTIMIZER: self.optimizer, _METHOD: self.method}


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A checkpoint that was read and verified."""

    progress: CheckpointProgress
    state: State


def save(folder: Path, *, key: str, progress: CheckpointProgress, state: State) -> Path:
    """Write `folder/step-NNNNNN` whole, and drop all but it and the KEEP - 1 before it. `key` names the
    run."""
    target = folder / f"step-{progress.step:06d}"
    write(target, key=key, progress=progress, state=state)
    # Newer ones are those that this run passed over.
    kept = [path for path in sorted(folder.glob("step-*")) if path <= target][-KEEP:]
    for other in set(folder.glob("step-*")) - set(kept):
        shutil.rmtree(other)
    return target


def write(target: Path, *, key: str, progress: CheckpointProgress, state: State) -> None:
    """Put a checkpoint at `target`, in place of the one there."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with replace_dir(target) as new:
        for name, tensors in state.files().items():
            save_tensors(new / name, tensors)
        digests = {name: sha256_file(new / name) for name in state.files()}
        content = {"key": key, "progress": asdict(progress), "files": digests}
        sealed = {**content, "sha256": _seal(content)}
        (new / _STATE).write_text(json.dumps(sealed, indent=2), encoding="utf-8")


def read(path: Path, *, key: str) -> Checkpoint | str:
    """The checkpoint at `path`, or why it cannot be used by the run of that key."""
    if reason := _reason_against(path, key):
        return reason
    content = json.loads((path / _STATE).read_text(encoding="utf-8"))
    tensors = (load_file(path / name) for name in (_WEIGHTS, _OPTIMIZER, _METHOD))
    return Checkpoint(CheckpointProgress(**content["progress"]), State(*tensors))


def latest(folder: Path, *, key: str) -> tuple[Checkpoint | None, list[Problem]]:
    """The newest good checkpoint of this run, and a warning for each newer one passed over."""
    problems: list[Problem] = []
    for path in sorted(folder.glob("step-*"), reverse=True):
        found = read(path, key=key)
        if isinstance(found, Checkpoint):
            return found, problems
        problems.append(
            Problem(
                level="warning",
                file=str(path),
                message=f"checkpoint not used: {found}",
                hint="the one before it is used instead, or the run starts over",
            )
        )
    return None, problems


def _reason_against(path: Path, key: str) -> str:
    """Why this checkpoint cannot be used; empty when it can."""
    try:
        state = json.loads((path / _STATE).read_text(encoding="utf-8"))
        if state.pop("sha256") != _seal(state):
            return f"{_STATE} is damaged"
        if state["key"] != key:
            return "it belongs to another run"
        if state["files"].keys() != {_WEIGHTS, _OPTIMIZER, _METHOD}:
            return "it is incomplete"
        for name, digest in state["files"].items():
            if sha256_file(path / name) != digest:
                return f"{name} is damaged"
        CheckpointProgress(**state["progress"])
    except (StoreError, OSError, ValueError, KeyError, TypeError, AttributeError):
        return "it is incomplete"
    return ""


def _seal(state: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(state, sort_keys=True).encode()).hexdigest()
