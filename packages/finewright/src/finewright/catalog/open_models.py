"""Open models that can be planned with before they are fetched: their config.json's keys, dated."""

from functools import cache
from typing import Any

from finewright.catalog.packaged import packaged
from finewright.schema.catalog import Fact


class OpenModel(Fact):
    """What a model's own config.json says of its shape, and its licence; `holds_tools`: its chat template has
    words for tools, calls and results (tests/families); `named_alone`: `decide` takes it where it is named
    alone."""

    license: str
    config: dict[str, Any]  # Any: as in a config.json
    aliases: tuple[str, ...] = ()
    holds_tools: bool = False
    named_alone: bool = False


@cache
def open_models() -> dict[str, OpenModel]:
    """Name -> open model, small ones first."""
    return packaged("open_models.yaml", dict[str, OpenModel])


CONFIG_IS_ENOUGH = "a folder with the model's config.json is enough: no weights are needed"
"""What is said where a name is nobody's."""


def open_model_named(name: str) -> tuple[str, OpenModel] | None:
    """The open model of that name or alias, in any case, with its own name."""
    wanted = name.casefold()
    for own, row in open_models().items():
        if wanted in (own.casefold(), *map(str.casefold, row.aliases)):
            return own, row
    return None
