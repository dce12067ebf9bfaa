"""MLflow: a run of an experiment, on a tracking server or in a data base of it.

Credentials are MLflow's own variables of the environment: MLFLOW_TRACKING_TOKEN, or _USERNAME, _PASSWORD."""

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING, TypeVar

from finewright.store.tracker import TrackedRun, TrackedValues, TrackerPlugin

if TYPE_CHECKING:
    from mlflow import MlflowClient

T = TypeVar("T")

_RUN, _KEY = "finewright.run", "finewright.key"
# Of one call of MLflow's `log-batch`; its REST API names both.
_MOST_VALUES, _MOST_PARAMS = 1000, 100
_LONGEST_PARAM = 6000
_NOT_A_NAME = re.compile(r"[^\w\-. /:]")
_STATES = {"finished": "FINISHED", "failed": "FAILED", "interrupted": "KILLED"}
# MLflow waits up to 120 s and tries 7 times; the delivery tries again by itself, and nobody waits at the end.
# What MLflow prints would stand in the middle of a report.
_ENVIRONMENT = {
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "5",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
}


class _Server:
    def __init__(self, client: "MlflowClient", run_id: str) -> None:
        self._client, self._run_id = client, run_id

    def log_params(self, params: Mapping[str, str]) -> None:
        """As parameters; MLflow keeps the first 6,000 characters of one."""
        from mlflow.entities import Param

        found = (Param(_name(key), value[:_LONGEST_PARAM]) for key, value in params.items())
        for part in _parts(found, _MOST_PARAMS):
            self._client.log_batch(self._run_id, params=part)

    def log_values(self, records: Sequence[TrackedValues]) -> None:
        """As metrics with their steps."""
        from mlflow.entities import Metric

        found = (
            Metric(_name(key), value, int(1000 * record.time), record.step)
            for record in records
            for key, value in record.values.items()
        )
        for part in _parts(found, _MOST_VALUES):
            self._client.log_batch(self._run_id, metrics=part)

    def close(self, state: str) -> None:
        """End the run there in this state."""
        self._client.set_terminated(self._run_id, _STATES[state])


def _name(key: str) -> str:
    return _NOT_A_NAME.sub("_", key)


def _parts(items: Iterator[T], most: int) -> Iterator[list[T]]:
    while part := list(islice(items, most)):
        yield part


def _open(run: TrackedRun) -> _Server:
    """The run of that key in the experiment, begun where it is not there yet."""
    for name, value in _ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    from mlflow import MlflowClient

    client = MlflowClient(run.uri or None)
    experiment = client.get_experiment_by_name(run.project)
    where = experiment.experiment_id if experiment else client.create_experiment(run.project)
    wanted = f"tags.`{_KEY}` = '{run.key}' and tags.`{_RUN}` = '{run.name}'"
    found = client.search_runs([where], wanted, max_results=1)
    if found:
        client.update_run(found[0].info.run_id, status="RUNNING")
        return _Server(client, found[0].info.run_id)
    tags = {_KEY: run.key, _RUN: run.name}
    return _Server(client, client.create_run(where, tags=tags, run_name=run.name).info.run_id)


PLUGIN = TrackerPlugin("mlflow", "bridge[mlflow]", _open, "MLFLOW_TRACKING_URI")
