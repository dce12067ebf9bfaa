"""What a stage is given and what a training leaves, made by hand."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from finewright.schema.common import RowCounts
from finewright.schema.run import RunSpec
from finewright.schema.train import Candidate
from finewright.store.rundir import RunDir
from finewright.store.runs import create_run
from finewright.store.stage import StageContext

NOW = datetime(2026, 11, 25, tzinfo=UTC)


def spec_of(**sections: Any) -> RunSpec:
    """A spec of what every run must have, and of these sections."""
    least = {"name": "t", "base_models": ["m"], "data": {"sources": [{"path": "rows.jsonl"}]}}
    return RunSpec.model_validate({**least, **sections})


def run_in(folder: Path, now: datetime = NOW) -> RunDir:
    """A run that has begun."""
    return create_run(folder / "runs", "t", "7f3a" * 16, "", "", now)


def context_of(root: Path, run: RunDir, spec: RunSpec, **fields: Any) -> StageContext:
    """A stage that nobody listens to or stops, where `fields` do not say otherwise."""
    usual: dict[str, Any] = {
        "candidates": {},
        "key": "",
        "emit": lambda event_type, /, **_: None,
        "should_stop": lambda: 0,
    }
    return StageContext(root=root, run=run, spec=spec, **{**usual, **fields})


def candidate_of(name: str, **fields: Any) -> Candidate:
    """A base model that took one step."""
    numbers = dict.fromkeys(
        ("steps", "tokens", "trained_tokens", "first_loss", "final_loss", "seconds"), 1
    )
    numbers |= dict.fromkeys(("tokens_per_second", "peak_gib", "trainable_parameters"), 1)
    counts = RowCounts(rows_in=1, rows_kept=1)
    usual = {"base_sha256": "0" * 64, "adapter": "train/adapter", "artifacts": (), "counts": counts}
    return Candidate.model_validate({"base_model": name, **numbers, **usual, **fields})
