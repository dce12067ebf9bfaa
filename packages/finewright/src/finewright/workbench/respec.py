"""A run follows its spec in all that its training does not depend on: what is measured, and how."""

from collections.abc import Callable, Mapping
from typing import Any

from finewright.schema.load import LoadedSpec
from finewright.schema.lock import Lock
from finewright.store.atomic import write_text
from finewright.store.lock import run_lock
from finewright.store.manifest import describe, read_manifest
from finewright.store.measurements import keep_measurement, record_spec
from finewright.store.rundir import RunDir
from finewright.store.speclock import lock_of, lock_text
from finewright.workbench.prepare import spec_reasons
from finewright.workbench.stages import is_of_evaluation

OnEvent = Callable[[str, Mapping[str, Any]], None]  # Any: an event's own fields
"""Called with each event's type and fields as it is written."""
_OF_CANDIDATES = "candidates."


def follow_spec(
    run: RunDir, loaded: LoadedSpec, inputs: Mapping[str, str], on_event: OnEvent
) -> None:
    """Write the spec and its lock anew where they differ from the run's, whose training is the same.

    What was measured by another `evaluate`, or on other files, is kept under `measurements/` first. A kill in
    between is mended by the next call. Raises StoreError while another process is at the run."""
    before = lock_of(run)
    after = _relock(before, loaded, inputs)
    if after == before and _is_recorded(run):
        return
    with run_lock(run):
        if _evaluation_inputs(before) != _evaluation_inputs(after) and (
            kept := keep_measurement(run)
        ):
            on_event("measurement_kept", {"path": str(run.root / kept)})
        write_text(run.spec, loaded.text)
        write_text(run.spec_lock, lock_text(after))
        record_spec(
            run, (describe(run, run.spec, "spec"), describe(run, run.spec_lock, "spec_lock"))
        )


def _relock(before: Lock, loaded: LoadedSpec, inputs: Mapping[str, str]) -> Lock:
    """The lock of the spec as it is, with the train settings that this machine filled in at the beginning."""
    of_candidates = {k: v for k, v in before.reasons.items() if k.startswith(_OF_CANDIDATES)}
    update = {
        "root": str(loaded.path.parent.resolve()),
        # with the day that templates were told when the run began
        "spec": loaded.spec.model_copy(update={"chat_template": before.spec.chat_template}),
        "reasons": {**dict(spec_reasons(loaded.spec, loaded.set_keys)), **of_candidates},
        "inputs": dict(inputs),
    }
    return before.model_copy(update=update)


def _evaluation_inputs(lock: Lock) -> object:
    """What decides over the measurement alone."""
    inputs = {key: value for key, value in lock.inputs.items() if is_of_evaluation(key)}
    return lock.spec.evaluate, inputs


def _is_recorded(run: RunDir) -> bool:
    """Whether the manifest knows the spec and the lock that are there."""
    recorded = {row.path: row.sha256 for row in read_manifest(run).artifacts}
    return all(
        recorded.get(f.name) == describe(run, f, "").sha256 for f in (run.spec, run.spec_lock)
    )
