"""An online finewright with an empty cache, and registry clients that are shell scripts."""

from collections.abc import Callable
from pathlib import Path

import pytest

Client = Callable[[str, str], Path]


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FINEWRIGHT_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("FINEWRIGHT_OFFLINE", raising=False)
    return tmp_path / "cache"


@pytest.fixture
def client(tmp_path: Path) -> Client:
    """Makes an executable shell script of that name in the folder `bin`."""

    def client(name: str, script: str) -> Path:
        path = tmp_path / "bin" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
        return path

    return client
