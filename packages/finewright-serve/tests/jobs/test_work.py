"""A job shows what its run takes for hyperparameters that were left open."""

from typing import Any

import pytest

from finewright.schema.lock import Lock
from finewright.schema.run import RunSpec
from finewright.schema.train_section import METHODS
from finewright.store.rundir import RunDir
from finewright.store.speclock import lock_text
from finewright_serve.jobs.spec import spec_of
from finewright_serve.jobs.work import _used

from .conftest import Api

USED = {"n_epochs": 3, "batch_size": 8, "learning_rate_multiplier": 1.0}


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ({}, USED),
        ({"n_epochs": "default", "batch_size": None}, USED),
        ({"n_epochs": 1.5}, {**USED, "n_epochs": 1.5}),
        ({"learning_rate_multiplier": 2.0}, {**USED, "learning_rate_multiplier": 2.0}),
        ({"max_steps": 5}, {**USED, "n_epochs": "auto"}),
        ({"minutes": 5}, {**USED, "n_epochs": "auto"}),
        ({"batch_tokens": 4096}, {**USED, "batch_size": "auto"}),
        ({"learning_rate": 1e-6}, {**USED, "learning_rate_multiplier": "auto"}),
    ],
)
def test_no_number_is_shown_where_another_setting_decides(
    api: Api, given: dict[str, Any], shown: dict[str, Any]
) -> None:
    folder = api.training.folder
    job = folder.job(api.made(hyperparameters=given)["id"])
    spec = RunSpec.model_validate(spec_of(job))
    settled = METHODS["sft"].model_validate({"learning_rate": 1e-4, **job.train})
    run = RunDir(folder.root)
    lock = Lock(
        finewright="0", code_sha256="0" * 64, root=".", spec=spec, candidates={job.base: settled},
        reasons={}, inputs={},
    )  # fmt: skip
    run.spec_lock.write_text(lock_text(lock))
    used = _used(job, run)
    folder.change(job.id, lambda state: state.model_copy(update={"used": used}))
    found = api.client.get(f"/v1/fine_tuning/jobs/{job.id}").json()["hyperparameters"]
    assert {name: (found[name], type(found[name])) for name in USED} == {
        name: (value, type(value)) for name, value in shown.items()
    }
