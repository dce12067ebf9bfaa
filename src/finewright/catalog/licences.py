"""What kinds of licence there are, and which ids need more than the category of the licence database."""

from datetime import date
from functools import cache
from typing import Literal

from finewright.catalog.packaged import packaged
from finewright.schema.common import Model

LicenceClass = Literal[
    "permissive", "public-domain", "copyleft", "noncommercial", "restricted", "custom", "unknown"
]


class Licences(Model):
    """Category of the licence database -> class, and SPDX id -> classes where it takes several."""

    source: str
    observed_at: date
    categories: dict[str, LicenceClass]
    licences: dict[str, tuple[LicenceClass, ...]]


@cache
def licences() -> Licences:
    """The catalog."""
    return packaged("licences.yaml", Licences)
