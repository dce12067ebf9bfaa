"""Each tracker, read back by its own reader."""

import os
from pathlib import Path
from typing import Any

import pytest

from finewright.conformance.tracker import KeptByTracker, TrackerConformance
from finewright.store.tracker import TrackedRun


class TestTensorBoard(TrackerConformance):
    name = "tensorboard"

    @classmethod
    def read(cls, run: TrackedRun) -> KeptByTracker:
        from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

        folder = f"{run.uri}/{run.project}/{run.name}"
        found = EventAccumulator(folder)
        found.Reload()
        names = found.Tags()["scalars"]
        values = {name: [(e.step, e.value) for e in found.Scalars(name)] for name in names}
        table = found.Tensors("settings/text_summary")[0].tensor_proto.string_val[0].decode()
        rows = [line.strip("| ").split(" | ") for line in table.splitlines()[2:]]
        return KeptByTracker({row[0]: row[1] for row in rows}, values)


@pytest.mark.filterwarnings("ignore")  # of its own use of SQLAlchemy
class TestMLflow(TrackerConformance):
    name = "mlflow"

    @classmethod
    def address(cls, folder: Path) -> str:
        return os.environ.get("FINEWRIGHT_TEST_MLFLOW") or f"sqlite:///{folder}/mlflow.db"

    @classmethod
    def read(cls, run: TrackedRun) -> KeptByTracker:
        from mlflow import MlflowClient

        client = MlflowClient(run.uri)
        experiment = client.get_experiment_by_name(run.project)
        assert experiment is not None
        (found,) = client.search_runs([experiment.experiment_id])
        assert (found.info.run_name, found.info.status) == (run.name, "FINISHED")
        history = {
            name: [(m.step, m.value) for m in client.get_metric_history(found.info.run_id, name)]
            for name in found.data.metrics
        }
        return KeptByTracker(found.data.params, history)


class TestWandb(TrackerConformance):
    name = "wandb"

    @classmethod
    def read(cls, run: TrackedRun) -> KeptByTracker:
        import json

        from wandb.proto.wandb_internal_pb2 import Record

        params: dict[str, str] = {}
        values: dict[str, list[tuple[int, float]]] = {}
        for path in sorted(Path(run.uri).glob("wandb/offline-run-*/*.wandb")):
            for data in read_log(path.read_bytes()):
                record = Record()
                record.ParseFromString(data)
                for item in (*record.run.config.update, *record.config.update):
                    params[item.key or "/".join(item.nested_key)] = json.loads(item.value_json)
                row: dict[str, Any] = {
                    item.key or "/".join(item.nested_key): json.loads(item.value_json)
                    for item in record.history.item
                }
                for name in row.keys() - {"at_step", "at_time"}:
                    if not name.startswith("_"):
                        values.setdefault(name, []).append((row["at_step"], row[name]))
        return KeptByTracker(params, values)


def read_log(content: bytes) -> list[bytes]:
    """The records of a W&B file: LevelDB's log format, blocks of 32 KiB, behind a header of 7 bytes."""
    assert content.startswith(b":W&B")
    records, at, part = [], 7, b""
    while at + 7 <= len(content):
        left = 32768 - at % 32768
        if left < 7:
            at += left
            continue
        length, kind = int.from_bytes(content[at + 4 : at + 6], "little"), content[at + 6]
        part += content[at + 7 : at + 7 + length]
        at += 7 + length
        if kind in (1, 4):  # whole, or the last part
            records.append(part)
            part = b""
    return records


def test_a_password_in_an_address_is_refused() -> None:
    from pydantic import ValidationError

    from finewright.schema.trackers import TrackerSpec

    with pytest.raises(ValidationError, match="put it into the environment"):
        TrackerSpec(name="mlflow", uri="https://me:secret@mlflow.example")
