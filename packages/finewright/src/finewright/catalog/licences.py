"""What kinds of licence there are, which ids need more than the category of the licence database, and
what the licences of open models allow."""

from datetime import date
from functools import cache
from typing import Literal

from finewright.catalog.models import read_packaged
from finewright.schema.common import Model

LicenceClass = Literal[
    "permissive", "public-domain", "copyleft", "noncommercial", "restricted", "custom", "unknown"
]


class ModelLicence(Model):
    """What a licence of model weights allows beside research."""

    title: str
    is_commercial: bool = True
    most_users: int | None = None
    """Users a month of the licensee's products above which its maker must be asked; None: no such limit."""
    conditions: str = ""
    """What holds for whoever uses it."""
    source: str
    observed_at: date


class Licences(Model):
    """Category of the licence database -> class, and SPDX id -> classes where it takes several."""

    source: str
    observed_at: date
    categories: dict[str, LicenceClass]
    licences: dict[str, tuple[LicenceClass, ...]]
    models: dict[str, ModelLicence]


@cache
def licences() -> Licences:
    """The catalog."""
    return read_packaged("licences.yaml", Licences)


def model_licence(name: str) -> ModelLicence | None:
    """The licence of that name; None where nobody wrote down what it allows."""
    return licences().models.get(name)
