"""The packages in examples/packages, installed as pip would leave them, and Python beside them."""

import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import NamedTuple

import finewright

SRC = Path(finewright.__file__).parents[1]
ROOT = SRC.parents[2]


class Site(NamedTuple):
    """A folder with packages in `site`, and Python that finds them."""

    folder: Path

    def install(self, name: str) -> None:
        """Every file of the example of that name, and its entry points."""
        example, site = ROOT / "examples" / "packages" / name, self.folder / "site"
        shutil.copytree(example, site)
        project = tomllib.loads((example / "pyproject.toml").read_text(encoding="utf-8"))["project"]
        points = [
            line
            for group, rows in project["entry-points"].items()
            for line in (f"[{group}]", *(f"{key} = {value}" for key, value in rows.items()))
        ]
        info = site / f"finewright_{name}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: 1.0\n"
        )
        (info / "entry_points.txt").write_text("\n".join(points) + "\n")

    def python(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """What it prints, and how it ends."""
        path = os.pathsep.join([str(self.folder / "site"), str(SRC)])
        return subprocess.run(
            [sys.executable, *arguments],
            cwd=self.folder,
            env={**os.environ, "PYTHONPATH": path},
            capture_output=True,
            text=True,
            check=False,
        )
