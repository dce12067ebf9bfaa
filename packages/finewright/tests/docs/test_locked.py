"""What `make setup` and `make test` install is named by version and hash, as constraints.txt says."""

import re
import runpy
import tomllib
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[4]
CORE = ROOT / "packages" / "finewright"
FILES = ("setup", "test", "site")
# Other files on each kind of machine: SECURITY.md.
APART = {"torch"}


def plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def versions(text: str) -> dict[str, str]:
    found = re.findall(r"^([\w.-]+)(?:\[[^]]*\])?==([^\s;]+)", text, flags=re.M)
    return {plain(name): version for name, version in found}


def locked(name: str) -> str:
    return (ROOT / "locked" / f"{name}.txt").read_text(encoding="utf-8")


def needed(extras: set[str], folder: Path) -> set[str]:
    """The direct dependencies of a package of ours, with those of some extras."""
    project = tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    names, todo = set(), [*project["dependencies"]]
    for extra in extras:
        todo += project["optional-dependencies"][extra]
    for each in todo:
        ours = re.match(r"(finewright[\w-]*)(?:\[(.*)\])?", each)
        if ours:
            names |= needed(set(filter(None, (ours[2] or "").split(","))), CORE.parent / ours[1])
        elif match := re.match(r"[\w.-]+", each):
            names.add(plain(match[0]))
    return {name for name in names - APART if not name.startswith("finewright")}


@pytest.mark.parametrize("name", FILES)
def test_every_package_has_a_version_and_a_hash(name: str) -> None:
    blocks = re.split(r"\n(?=\S)", locked(name).strip())
    packages = [block for block in blocks if not block.startswith("#")]
    assert len(packages) > 20
    bare = [
        b
        for b in packages
        if not re.match(r"[\w.-]+(\[[^]]*\])?==\S+[^\n]*\\\n +--hash=sha256:", b)
    ]
    assert bare == []


@pytest.mark.parametrize("name", FILES)
def test_the_versions_are_those_of_the_constraints(name: str) -> None:
    said = versions((ROOT / "constraints.txt").read_text(encoding="utf-8"))
    other = {n: v for n, v in versions(locked(name)).items() if said.get(n) != v}
    assert other == {}, "say `make lock`"


@pytest.mark.parametrize(
    ("name", "extras"),
    [("setup", {"train", "web3", "bridge", "tune", "rag"}), ("test", {"train", "dev"})],
)
def test_every_dependency_is_locked(name: str, extras: set[str]) -> None:
    assert needed(extras, CORE) - versions(locked(name)).keys() == set(), "say `make lock`"


WEAK = {"name": "a", "version": "1", "vulns": [{"id": "PYSEC-1", "fix_versions": ["2"]}]}
SOUND = {"name": "b", "version": "1", "vulns": []}


def skipped(name: str) -> dict[str, Any]:
    return {"name": name, "skip_reason": "not found on PyPI"}


@pytest.mark.parametrize(
    ("packages", "code", "said"),
    [
        ([SOUND, skipped("finewright"), skipped("torch")], 0, "asked about 1 packages: 0 known"),
        ([SOUND, WEAK, skipped("c")], 1, "a 1: PYSEC-1, fixed in 2"),
        ([SOUND, skipped("c")], 75, "not asked: c: not found on PyPI"),
        ([skipped("finewright"), skipped("c")], 75, "asked about 0 packages"),
        ([], 75, "asked about 0 packages"),
    ],
)
def test_what_nobody_was_asked_about_is_never_called_sound(
    packages: list[dict[str, Any]], code: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    audit = runpy.run_path(str(ROOT / "locked" / "audit.py"))
    assert audit["told"](packages) == code
    assert said in capsys.readouterr().out
