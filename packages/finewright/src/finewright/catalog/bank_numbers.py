"""Numbers of bank customers, their forms and what they are called: `bank_numbers.yaml`."""

from datetime import date
from functools import cache

from finewright.catalog.models import read_packaged
from finewright.schema.common import Model
from finewright.schema.privacy import BankType


class BankNumberRule(Model):
    """A form of one type, as the file's first lines explain it."""

    type: BankType
    form: str
    check: str = ""
    words: tuple[str, ...]
    source: str


class BankNumberRules(Model):
    """All forms, and the day on which the sources were read."""

    observed_at: date
    links: tuple[str, ...]
    kinds: tuple[BankNumberRule, ...]


@cache
def bank_number_rules() -> BankNumberRules:
    """Every form of the catalog."""
    return read_packaged("bank_numbers.yaml", BankNumberRules)
