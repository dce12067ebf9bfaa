"""spec.lock.yaml of a run: written once, and read back by whoever needs the settings as they were."""

import yaml
from pydantic import ValidationError

from finewright.errors import StoreError
from finewright.schema.lock import Lock
from finewright.store.atomic import os_errors
from finewright.store.rundir import RunDir


def lock_text(lock: Lock) -> str:
    """The lock as YAML."""
    text: str = yaml.safe_dump(lock.model_dump(mode="json"), sort_keys=False, allow_unicode=True)
    return "# Written by finewright: the spec with every default resolved. Do not edit.\n" + text


def lock_of(run: RunDir) -> Lock:
    """The lock of a run. Raises StoreError when it is damaged."""
    with os_errors(run.spec_lock):
        text = run.spec_lock.read_text(encoding="utf-8")
    try:
        return Lock.model_validate(yaml.load(text, Loader=yaml.CSafeLoader))  # noqa: TID251
    except (yaml.YAMLError, ValidationError):
        raise StoreError(
            f"{run.spec_lock}: damaged, or written by another version",
            hint="start a new run from its spec.yaml",
        ) from None
