"""A model to talk to or to measure: a base model by name, or the tuned model of a run."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from finewright.errors import StoreError
from finewright.lm import runtime
from finewright.lm.sources import BaseModel, locate
from finewright.schema.train import Candidate, TrainReport
from finewright.store.rundir import RunDir, open_run
from finewright.workbench.prepare import lock_of

if TYPE_CHECKING:
    from finewright.lm.chat import Chat
    from finewright.lm.model import LM


@dataclass(frozen=True, slots=True)
class System:
    """A loaded model with its chat template and the name it goes by in reports."""

    name: str
    lm: "LM"
    chat: "Chat"


def load_system(target: str, *, base_model: str = "") -> System:
    """Load a run's tuned model when `target` is a run folder, else the base model of that name.

    `base_model` picks the candidate of a run with several. Raises ModelError or StoreError."""
    runtime.require_runtime()
    from finewright.lm.load import load_chat, load_lm

    path = Path(target)
    adapter, consent = None, ""
    if (path / "manifest.json").is_file():
        run = open_run(path)
        candidate = _candidate(run, base_model)
        lock = lock_of(run)
        consent = lock.spec.remote_code.get(candidate.base_model, "")
        base = locate(candidate.base_model, Path(lock.root))
        _same_base(base, candidate, run)
        adapter = run.root / candidate.adapter
    else:
        base = locate(target, Path.cwd())
    dtype = "bf16" if runtime.fast_bf16() else "fp32"
    lm = load_lm(base, adapter, dtype=dtype, consent=consent)  # type: ignore[arg-type]
    return System(
        path.resolve().name if adapter else base.name, lm, load_chat(base, consent=consent)
    )


def _candidate(run: RunDir, base_model: str) -> Candidate:
    candidates = run.read_report("train", TrainReport).candidates
    found = [c for c in candidates if base_model in {"", c.base_model}]
    if len(found) == 1:
        return found[0]
    names = ", ".join(c.base_model for c in candidates)
    raise StoreError(
        f"{run.root}: this run trained {len(candidates)} base models",
        hint=f"pick one with --base-model: {names}",
    )


def _same_base(base: BaseModel, candidate: Candidate, run: RunDir) -> None:
    if base.sha256 != candidate.base_sha256:
        raise StoreError(
            f"{run.root}: the base model {base.name} has changed since this run trained on it",
            hint="put the old one back, or train again",
        )
