"""What kinds of licence there are, and which ids need more than the category of the licence database."""

from datetime import date
from functools import cache
from importlib.resources import files
from typing import Literal

import yaml

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
    text = files("finewright.catalog").joinpath("licences.yaml").read_text(encoding="utf-8")
    data = yaml.load(text, Loader=yaml.CSafeLoader)  # noqa: TID251 - our own file, safe loader
    return Licences.model_validate(data)
