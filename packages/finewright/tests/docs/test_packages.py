"""The page about packages of one's own: its example passes its suite, and its tables are whole."""

import json
import os
import re
import subprocess
import sys
import tomllib
from importlib import resources
from pathlib import Path
from typing import get_args

from finewright import plugins

ROOT = Path(__file__).parents[4]
PAGE = (ROOT / "docs" / "packages.md").read_text(encoding="utf-8")


def test_the_example_passes_the_suite_as_it_stands(tmp_path: Path) -> None:
    scorer, test = re.findall(r"```python\n(.*?)```", PAGE, flags=re.S)
    (point,) = re.findall(r'^shout = "(.*)"$', PAGE, flags=re.M)
    (tmp_path / "acme_scorers.py").write_text(scorer)
    (tmp_path / "test_acme.py").write_text(test)
    info = tmp_path / "acme_scorers-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-scorers\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[finewright.scorer]\nshout = {point}\n")
    path = os.pathsep.join([str(tmp_path), *sys.path])
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_acme.py"],
        cwd=tmp_path, env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    assert re.search(r"\d+ passed", done.stdout)


def test_every_kind_and_every_package_has_a_row() -> None:
    kinds = re.findall(r"^\| `(\w+)` \|", PAGE, flags=re.M)
    assert kinds == sorted(get_args(plugins.Kind))
    packages = sorted(
        path.parent.name for path in ROOT.glob("packages/finewright-*/pyproject.toml")
    )
    assert sorted(re.findall(r"^\| `(finewright-[\w-]+)` \|", PAGE, flags=re.M)) == packages


def test_what_packages_bring_is_known_with_an_extra_that_installs_it() -> None:
    brought = json.loads(resources.files("finewright").joinpath("packages.json").read_text())
    project = tomllib.loads((ROOT / "packages/finewright/pyproject.toml").read_text())["project"]
    assert set(brought.pop("command").values()) <= brought["feature"].keys()
    for by in {by for names in brought.values() for by in names.values()}:
        package, _, extra = by.removesuffix("]").partition("[")
        needed = f"finewright-{by}"
        assert needed in project["optional-dependencies"][extra or package]
