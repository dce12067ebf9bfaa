"""European law as dated rows: fields of use, duties with their article and their day, fines by tier."""

from datetime import date
from functools import cache
from typing import Literal, Self

from pydantic import Field, model_validator

from finewright.catalog.models import read_packaged
from finewright.schema.common import Model

Kind = Literal["prohibited", "annex-iii", "annex-i", "annex-i-b", "other"]


class Domain(Model):
    """A field of use, and what the AI Act takes systems in it for."""

    title: str
    kind: Kind
    aliases: tuple[str, ...] = ()
    """Other names that people write."""


class Fine(Model):
    """The most of a tier, of EUR or of the year's turnover, and where it stands."""

    text: str
    article: str


class Duty(Model):
    """What an article asks of whom it holds for."""

    article: str
    since: date
    when: dict[str, tuple[str | bool, ...]]
    says: str
    source: str
    """A key of the sources in `advice.yaml`."""
    arms: Literal["all", "tuned", "trained", "outside"] = "all"
    fine: str = ""


class Laws(Model):
    """The packaged file as a whole."""

    domains: dict[str, Domain]
    fines: dict[str, Fine]
    duties: dict[str, Duty] = Field(min_length=1)

    @model_validator(mode="after")
    def _check_fines(self) -> Self:
        assert all(not duty.fine or duty.fine in self.fines for duty in self.duties.values())
        return self


@cache
def read_packaged_laws() -> Laws:
    """Every field of use, duty and fine."""
    return read_packaged("laws.yaml", Laws, "finewright_advice.catalog")


def domain_named(name: str) -> str:
    """The field of use that goes by that name or alias; a name that nobody knows stays."""
    folded = name.strip().casefold()
    domains = read_packaged_laws().domains
    if folded in domains:
        return folded
    return next((own for own, each in domains.items() if folded in each.aliases), name)
