"""Packages that a page of the docs shows whole, installed as pip would leave them, and Python beside them."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import finewright

SRC = Path(finewright.__file__).parents[1]
ROOT = SRC.parents[2]


class Site(NamedTuple):
    """A folder with packages in `site`, and Python that finds them."""

    folder: Path

    def install(self, page: str, package: str, points: str) -> None:
        """Every file that the page names before its text, and the entry points."""
        text = (ROOT / "docs" / page).read_text(encoding="utf-8")
        names = re.findall(r"^`([\w/]+\.py)`:", text, re.MULTILINE)
        codes = re.findall(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
        site = self.folder / "site"
        (site / package).mkdir(parents=True)
        (site / package / "__init__.py").write_text('"""A package of another."""\n')
        for name, code in zip(names, codes, strict=True):
            (site / name).write_text(code)
        info = site / f"{package}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(points)

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
