"""Who says what the figures are made of."""

from typing import Any

from finewright.schema.catalog import Fact
from finewright_advice.decide.ability import source_of
from finewright_advice.decide.results import AdviceSource


def sources_of(*rows: Fact) -> list[AdviceSource]:
    """The rows of the catalog by their keys."""
    return [
        AdviceSource(name=_name(row), reference=row.source, observed_at=row.observed_at)
        for row in rows
    ]


def ability_source(name: str) -> tuple[AdviceSource, ...]:
    """Who says how able a model is, where anybody does."""
    found = source_of(name)
    return () if found is None else (found,)


def _name(row: Any) -> str:  # Any: each kind of fact has a key of its own
    return f"{type(row).__name__}: {', '.join(row.key())}"
