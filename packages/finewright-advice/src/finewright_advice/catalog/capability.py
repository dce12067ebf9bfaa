"""How capable a model is, by published benchmarks: a score, ranks by kind of work, languages; all dated."""

from datetime import date
from functools import cache

from pydantic import Field

from finewright.catalog.packaged import packaged
from finewright.schema.common import Model


class Capability(Model):
    """What was published of one model; None is said as unknown, and never guessed here."""

    score: float | None = None
    """On the scale of whatmodel.sh, with `plus_minus` and the number of `results` that it was fitted to."""
    plus_minus: float = 0.0
    results: int = 0
    code_rank: int | None = None
    chat_rank: int | None = None
    mmlu_pro: float | None = Field(default=None, ge=0, le=100)
    """Percent right of MMLU-Pro, by its maker or a report that the source names."""
    languages: tuple[str, ...] | None = None
    """ISO 639-1 codes that the maker names; None: unknown."""
    source: str
    observed_at: date


class Capabilities(Model):
    """Every row, and of how many models the ranks are."""

    ranked: dict[str, int]
    curve: tuple[tuple[float, float], ...]
    """(share of all models that stay below, score), both rising: places that were seen with their score."""
    models: dict[str, Capability]


@cache
def packaged_capabilities() -> Capabilities:
    """The rows by the names that models have in the other catalogs."""
    return packaged("capability.yaml", Capabilities, "finewright_advice.catalog")
