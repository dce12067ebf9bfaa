"""The data sets that finewright builds from registry packages, and where they come from."""

from datetime import date
from functools import cache
from importlib.resources import files
from typing import Literal

import yaml
from pydantic import Field

from finewright.schema.common import Model


class Chain(Model):
    """A blockchain by the name that wallets show, and the ticker of its native currency."""

    name: str
    native: str


class Package(Model):
    """A registry package at one version; `license` is what the package says of itself."""

    name: str
    version: str
    integrity: str = Field(pattern=r"^sha512-[A-Za-z0-9+/]{86}==$")
    license: str


class PackagedSet(Model):
    """A data set that is built from files of pinned registry packages."""

    title: str
    registry: Literal["npm"]
    packages: tuple[Package, ...] = Field(min_length=1)
    members: str = Field(description="The files to read in each package; * stands for any text.")
    license: str = Field(description="The licence of the rows.")
    license_note: str
    source: str
    observed_at: date
    chains: dict[int, Chain] = Field({}, description="EIP-155 chain id -> the chains in the set.")


class DataSets(Model):
    """The data sets by name, in the catalog's order."""

    sets: dict[str, PackagedSet]


@cache
def data_sets() -> DataSets:
    """Every data set of the catalog."""
    text = files("finewright.catalog").joinpath("sets.yaml").read_text(encoding="utf-8")
    sets = yaml.load(text, Loader=yaml.CSafeLoader)  # noqa: TID251 - our own file, safe loader
    return DataSets.model_validate({"sets": sets})
