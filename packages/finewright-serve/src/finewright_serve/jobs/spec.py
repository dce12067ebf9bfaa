"""The run spec of a job."""

from typing import Any

from finewright_serve.jobs.folder import TRAIN, VALID
from finewright_serve.jobs.job import TuningJob


def spec_of(job: TuningJob) -> dict[str, Any]:  # Any: YAML
    """The spec of a job's run, whose folder is the job's."""
    held_out = [{"path": VALID, "held_out": True}] if job.validation_file else []
    return {
        "name": job.run_name,
        "base_models": [job.base],
        "data": {"sources": [{"path": TRAIN}, *held_out]},
        "train": {**job.train},
    }
