"""Every benchmark and every example is in the list that CI runs at its smallest size."""

from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[4]
LISTED = yaml.safe_load((ROOT / "benchmarks" / "smallest.yaml").read_text(encoding="utf-8"))
PARTS = ("rows", "_parts")  # folders of what other benchmarks start
SETS = (
    "erc7730",
    "bank-facts",
    "erc-standards",
    "natspec-docs",
    "solidity",
    "solidity-audit",
    "transaction-agent",
)  # a user's, git ignores them


def test_every_benchmark_is_listed() -> None:
    folder = ROOT / "benchmarks"
    scripts = {
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*.py")
        if '__name__ == "__main__"' in path.read_text(encoding="utf-8")
        and not path.parent.name.endswith(PARTS)
        and path.name != "smallest.py"  # reads the list
    }
    assert scripts == LISTED["benchmarks"].keys()


def test_every_example_is_listed() -> None:
    found = {path.name for path in (ROOT / "examples").iterdir()}
    assert found - {*SETS, "packages", "__pycache__"} == LISTED["examples"].keys()


@pytest.mark.parametrize("kind", ["benchmarks", "examples"])
def test_what_is_not_run_says_why(kind: str) -> None:
    reasons: list[Any] = [g["why_not"] for g in LISTED[kind].values() if isinstance(g, dict)]
    assert all(len(why.split()) > 3 for why in reasons)
    assert len(reasons) < len(LISTED[kind]) / 4  # most run
