"""What is said of a data set that is built from registry packages, and where that is written."""

from collections.abc import Mapping
from datetime import date
from functools import cache
from typing import Literal, Self

from pydantic import Field, model_validator

from finewright.catalog.models import read_packaged
from finewright.schema.common import Model
from finewright.schema.sets import Package

_DIGESTS = {"npm": "sha512-", "pypi": "sha256:", "included": "sha256:"}


class PackagedSet(Model):
    """A data set that is built from files of pinned registry packages, or of what comes along."""

    title: str
    use: str = Field(description="What the set is good for.")
    registry: Literal["npm", "pypi", "included"] = Field(
        description="Where the packages are; included: a zip file of that name beside the module that"
        " makes the rows, and without packages, files of the package that offers the set."
    )
    packages: tuple[Package, ...] = ()
    members: tuple[str, ...] = Field(
        (), description="The files to read in the packages; * stands for any text."
    )
    rows: dict[str, int] = Field(description="Counted rows: the set's files -> how many.")
    license: str = Field(description="The licence of the rows.")
    copyleft: tuple[str, ...] = Field(
        (), description="Licences of files that are in the set only when they are asked for."
    )
    license_note: str
    source: str
    observed_at: date

    @model_validator(mode="after")
    def _check_pins(self) -> Self:
        if not (self.packages and self.members) and self.registry != "included":
            raise ValueError(f"names no packages of {self.registry}, or no files in them")
        digest = _DIGESTS[self.registry]
        for package in self.packages:
            if not package.integrity.startswith(digest):
                raise ValueError(f"{package.name}: {self.registry} pins by {digest}...")
        return self


class DataSets(Model):
    """The data sets by name, and the command that installs each one whose package is not there."""

    sets: dict[str, PackagedSet]
    not_installed: dict[str, str] = Field({})


@cache
def read_sets(package: str) -> Mapping[str, PackagedSet]:
    """The facts of the data sets that a package comes with, by name: its file `sets.yaml`."""
    return read_packaged("sets.yaml", dict[str, PackagedSet], package)
