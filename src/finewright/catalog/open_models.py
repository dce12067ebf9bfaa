"""Open models that can be planned with before they are fetched: their config.json's keys, dated."""

from functools import cache
from typing import Any

from finewright.catalog.packaged import packaged
from finewright.schema.catalog import Fact


class OpenModel(Fact):
    """What a model's own config.json says of its shape, and its licence; `holds_tools`: its chat template has
    words for tools, calls and results (tests/families)."""

    license: str
    config: dict[str, Any]  # Any: as in a config.json
    aliases: tuple[str, ...] = ()
    holds_tools: bool = False


@cache
def open_models() -> dict[str, OpenModel]:
    """Name -> open model, small ones first."""
    return packaged("open_models.yaml", dict[str, OpenModel])
