"""A run that other code made is left as it is."""

from datetime import UTC, datetime

import pytest

from finewright.errors import StoreError
from finewright.store.runs import create_run
from finewright.store.speclock import lock_of
from finewright.workbench.up import resume

LOCK = """\
finewright: 0.0.1
code_sha256: abc
root: .
spec: {name: old, base_models: [m], data: {sources: [{path: rows.jsonl}]}}
candidates: {}
reasons: {}
inputs: {}
"""


def test_a_run_of_other_code_is_not_run_again(tmp_path):
    run = create_run(tmp_path, "old", "a" * 64, "spec", LOCK, datetime.now(UTC))
    assert lock_of(run).finewright == "0.0.1"
    with pytest.raises(
        StoreError, match=r"other code of finewright \(version 0\.0\.1\)"
    ) as refused:
        resume(run.root, on_event=lambda *_: None)
    assert refused.value.hint == "run its spec file again, which starts a new run"
    assert not run.events.exists()
