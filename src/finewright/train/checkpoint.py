"""Checkpoints: all that decides the next step, so a cut run ends bitwise as an uninterrupted one.

A checkpoint is a folder that appears whole (written aside, then renamed) and lists the digest of each
file and its own. One that is damaged, incomplete or of another run is noticed, said, and passed over."""

import hashlib
import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor

from finewright.errors import StoreError
from finewright.lm.tensors import save_tensors
from finewright.schema.common import Problem
from finewright.store.atomic import replace_dir, sha256_file

_STATE = "state.json"
_ADAPTER = "adapter.safetensors"
_OPTIMIZER = "optimizer.safetensors"
KEEP = 2


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a run stands after `step` optimiser steps."""

    step: int
    tokens: int
    trained_tokens: int
    seconds: float
    first_loss: float


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A checkpoint that was read and verified."""

    progress: Progress
    adapter: Mapping[str, Tensor]
    optimizer: Mapping[str, Tensor]


def save(
    folder: Path,
    *,
    key: str,
    progress: Progress,
    adapter: Mapping[str, Tensor],
    optimizer: torch.optim.Optimizer,
) -> Path:
    """Write `folder/step-NNNNNN` whole, and drop all but it and the KEEP - 1 before it. `key` names the
    run."""
    target = folder / f"step-{progress.step:06d}"
    folder.mkdir(parents=True, exist_ok=True)
    with replace_dir(target) as new:
        save_tensors(new / _ADAPTER, adapter)
        save_tensors(new / _OPTIMIZER, _flat_state(optimizer))
        digests = {name: sha256_file(new / name) for name in (_ADAPTER, _OPTIMIZER)}
        fields = {name: getattr(progress, name) for name in Progress.__slots__}
        state = {"key": key, "progress": fields, "files": digests}
        sealed = {**state, "sha256": _seal(state)}
        (new / _STATE).write_text(json.dumps(sealed, indent=2), encoding="utf-8")
    # Newer ones are those that this run passed over.
    kept = [path for path in sorted(folder.glob("step-*")) if path <= target][-KEEP:]
    for other in set(folder.glob("step-*")) - set(kept):
        shutil.rmtree(other)
    return target


def latest(folder: Path, *, key: str) -> tuple[Checkpoint | None, list[Problem]]:
    """The newest good checkpoint of this run, and a warning for each newer one passed over."""
    problems: list[Problem] = []
    for path in sorted(folder.glob("step-*"), reverse=True):
        reason = _reason_against(path, key)
        if not reason:
            state = json.loads((path / _STATE).read_text(encoding="utf-8"))
            checkpoint = Checkpoint(
                Progress(**state["progress"]),
                load_file(path / _ADAPTER),
                load_file(path / _OPTIMIZER),
            )
            return checkpoint, problems
        problems.append(
            Problem(
                level="warning",
                file=str(path),
                message=f"checkpoint not used: {reason}",
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
        for name, digest in state["files"].items():
            if sha256_file(path / name) != digest:
                return f"{name} is damaged"
        Progress(**state["progress"])
    except (StoreError, OSError, ValueError, KeyError, TypeError, AttributeError):
        return "it is incomplete"
    return ""


def _seal(state: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(state, sort_keys=True).encode()).hexdigest()


def restore_optimizer(optimizer: torch.optim.Optimizer, tensors: Mapping[str, Tensor]) -> None:
    """Put saved AdamW moments and step counts back."""
    state: dict[int, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        index, _, field = name.partition(".")
        state.setdefault(int(index), {})[field] = tensor
    full: dict[str, Any] = optimizer.state_dict()
    full["state"] = state
    optimizer.load_state_dict(full)


def _flat_state(optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    state: dict[int, dict[str, Tensor]] = optimizer.state_dict()["state"]
    return {
        f"{index}.{field}": tensor
        for index, fields in state.items()
        for field, tensor in fields.items()
    }
