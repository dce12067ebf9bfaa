"""Libraries that report to their makers are told not to, and keep no id of the machine."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from finewright.fetch.telemetry import turn_off_telemetry

_READ = (
    "import sys; from pathlib import Path; from finewright.rows.document_text import document; "
    + ("print(document(Path(sys.argv[1])).text)")
)


def test_reading_a_document_leaves_nothing_at_home(tmp_path: Path) -> None:
    pytest.importorskip("markitdown")
    page, home = tmp_path / "page.html", tmp_path / "home"
    page.write_text("<h1>Fees</h1><p>The card is free.</p>")
    home.mkdir()
    told = {"ORT_DISABLE_TELEMETRY", "DO_NOT_TRACK"}
    environment = {name: value for name, value in os.environ.items() if name not in told}
    read = subprocess.run(
        [sys.executable, "-c", _READ, str(page)],
        env={**environment, "HOME": str(home), "XDG_CACHE_HOME": str(home / "cache")},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "The card is free." in read.stdout
    assert list(home.rglob("*")) == []


def test_what_the_user_has_set_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "1")
    monkeypatch.delenv("HF_HUB_DISABLE_TELEMETRY", raising=False)
    turn_off_telemetry()
    assert os.environ["RAY_USAGE_STATS_ENABLED"] == "1"
    assert os.environ["HF_HUB_DISABLE_TELEMETRY"] == "1"
