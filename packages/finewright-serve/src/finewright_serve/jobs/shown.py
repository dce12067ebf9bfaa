"""A job as OpenAI's object, and lists by pages with a cursor."""

from collections.abc import Mapping, Sequence
from typing import Any

from finewright.store.rundir import RunDir
from finewright_serve.gateway.errors import ApiError
from finewright_serve.jobs.job import JobState, TuningJob
from finewright_serve.jobs.request import OPEN
from finewright_serve.jobs.results import estimated_finish

Shown = dict[str, Any]  # Any: JSON


def job_object(job: TuningJob, state: JobState, run: RunDir | None) -> Shown:
    """OpenAI's fine_tuning.job. A reward model is no model to ask, so it has no name here."""
    result = state.result
    auto = {"n_epochs": "auto", "batch_size": "auto", "learning_rate_multiplier": "auto"}
    given = {**auto, **job.hyperparameters}
    hyperparameters = {k: state.used.get(k, v) if v in OPEN else v for k, v in given.items()}
    answers = result is not None and result.answers
    return {
        "id": job.id,
        "object": "fine_tuning.job",
        "created_at": int(job.created),
        "error": None if state.failure is None else state.failure.model_dump(),
        "estimated_finish": estimated_finish(run) if state.status == "running" else None,
        "fine_tuned_model": job.tuned_model if answers else None,
        "finished_at": None if state.finished is None else int(state.finished),
        "hyperparameters": hyperparameters,
        "integrations": [],
        "metadata": dict(job.metadata),
        "method": {"type": job.method_type, job.method_type: {"hyperparameters": hyperparameters}},
        "model": job.model,
        "organization_id": "finewright",
        "result_files": [result.results_file] if result else [],
        "seed": job.seed,
        "status": state.status,
        "trained_tokens": result.trained_tokens if result else None,
        "training_file": job.training_file,
        "user_provided_suffix": job.suffix or None,
        "validation_file": job.validation_file,
    }


def page_of(items: Sequence[Shown], query: Mapping[str, str], *, most: int = 100) -> Shown:
    """The items behind the one whose id is `after`, `limit` at most; raises ApiError for an odd query."""
    limit = query.get("limit", "20")
    is_number = limit.isascii() and limit.isdigit() and len(limit) <= 9  # noqa: PLR2004 - digits, as many as any count has
    if not is_number or not 1 <= int(limit) <= most:
        raise ApiError(f"limit: a number from 1 to {most}", param="limit", code="invalid_value")
    after, begin = query.get("after"), 0
    if after is not None:
        places = [i for i, item in enumerate(items) if item["id"] == after]
        if not places:
            raise ApiError(
                f"after: nothing here is {after[:100]!r}", param="after", code="invalid_value"
            )
        begin = places[0] + 1
    found = list(items[begin : begin + int(limit)])
    return {
        "object": "list",
        "data": found,
        "first_id": found[0]["id"] if found else None,
        "last_id": found[-1]["id"] if found else None,
        "has_more": begin + len(found) < len(items),
    }
