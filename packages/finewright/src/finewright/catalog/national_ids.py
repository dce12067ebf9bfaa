"""The forms of identity numbers and what they are called: `national_ids.yaml`."""

from datetime import date
from functools import cache
from typing import Literal

from pydantic import Field, model_validator

from finewright.catalog.models import read_packaged
from finewright.schema.common import Model


class IdentityRule(Model):
    """A kind of identity number, as the file's first lines explain it."""

    country: str = Field(description="ISO 3166-1, two letters.")
    name: str
    groups: str = ""
    loose: bool = False
    form: str = ""
    has_signs: bool = Field(False, description="Do signs between the digits say something?")
    begins: str = ""
    check: str = ""
    check_digits: int = 1
    alone: Literal["never", "always", "/", "-+", "."] = "never"
    words: str
    common: bool = True
    source: str = Field(min_length=1, description="Who describes it.")

    @model_validator(mode="after")
    def _has_one_form(self) -> "IdentityRule":
        if bool(self.groups) == bool(self.form):
            raise ValueError(f"{self.country} {self.name}: give `groups` or a `form`")
        if self.alone != "never" and not self.check_digits:
            raise ValueError(f"{self.country} {self.name}: without a check it cannot count alone")
        return self


class IdentityRules(Model):
    """All kinds, the words that all countries use, and when the sources were read."""

    observed_at: date
    common: str
    kinds: tuple[IdentityRule, ...]


@cache
def identity_rules() -> IdentityRules:
    """Every kind of the catalog."""
    return read_packaged("national_ids.yaml", IdentityRules)
