"""A run folder to work on, made as `up` makes it."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from finewright.store.rundir import RunDir
from finewright.store.runs import create_run

KEY = "7f3a" + "0" * 60
NOW = datetime(2026, 11, 24, 9, 30, tzinfo=UTC)


@pytest.fixture
def run(tmp_path: Path) -> RunDir:
    return create_run(
        tmp_path / "runs", "support-bot", KEY, "name: support-bot\n", "lock: 1\n", NOW
    )
