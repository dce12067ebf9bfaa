"""The commands of the core's tests, and where imports of prices are written."""

from pathlib import Path

import pytest

from cli.conftest import finewright, project

__all__ = ["finewright", "folder", "project"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "prices.d"
