"""Open models that can be planned with before they are fetched: their config.json's keys, dated."""

from functools import cache
from importlib.resources import files
from typing import Any

import yaml

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
    text = files("finewright.catalog").joinpath("open_models.yaml").read_text(encoding="utf-8")
    rows = yaml.load(text, Loader=yaml.CSafeLoader)  # noqa: TID251 - our own file
    return {name: OpenModel.model_validate(row) for name, row in rows.items()}
