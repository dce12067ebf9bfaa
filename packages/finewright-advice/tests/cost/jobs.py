"""Jobs that the tests of the cost package share."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import published
from finewright.estimate.families import shape_of
from finewright.lm.sources import LocalBase
from finewright.schema.cost import Range
from finewright.schema.methods import SFTSpec
from finewright.schema.rows import Row
from finewright.schema.run import RunSpec
from finewright.schema.train import TrainSettings
from finewright.train.rows import rows_for
from finewright_advice.cost.job import Rows, TrainingJob
from finewright_advice.cost.rows import CountedRows, count

LLAMA_8B = {**published.LLAMA_8B, "max_position_embeddings": 131072}
LLAMA_65B = {**published.LLAMA_65B, "max_position_embeddings": 2048}
ROWS = Rows(
    count=1000,
    mean=400.0,
    longest=1000,
    longest_sequence=1000,
    batch_tokens=3600,
    learned_share=0.5,
    tier="counted",
)


def job_of(config: dict[str, Any] = LLAMA_8B, rows: Rows = ROWS, **train: Any) -> TrainingJob:
    tokens = rows.count * rows.mean * 3
    span = Range(low=0.98 * tokens, median=tokens, high=1.02 * tokens)
    return TrainingJob("base", shape_of(config), SFTSpec(**train), rows, 375, span)


def with_rows(job: TrainingJob, **changes: Any) -> TrainingJob:
    return replace(job, rows=replace(job.rows, **changes))


def counted(rows: Sequence[Row], spec: TrainSettings, base: LocalBase | None = None) -> CountedRows:
    """The rows in numbers, as a run without switches counts them."""
    run = RunSpec.model_validate(
        {"name": "x", "base_models": ["./one"], "data": {"sources": [{"path": "rows.jsonl"}]}}
    )
    return count(rows_for(spec.method, rows), spec, base, run)
