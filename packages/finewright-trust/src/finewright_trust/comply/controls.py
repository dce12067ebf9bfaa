"""The regimes that come with finewright: each a YAML file of dated rows, and the uses that the law names."""

from collections.abc import Mapping, Sequence
from datetime import date
from functools import cache
from importlib.resources import files
from typing import Any, Literal

from pydantic import Field

from finewright.catalog.models import read_packaged
from finewright.errors import SpecError, suggest
from finewright.sdk import Model
from finewright_trust.comply.law import Facts, FineTier, Grace

_REGIMES = "finewright_trust.comply.regimes"
_FIRST = "eu-ai-act"


class Control(Model):
    """A duty in our own words, and which evidence answers it.

    `evidence` are queries over the run (`comply.evidence`), or `human`: a person's own document."""

    id: str
    article: str
    duty: str
    start: date | None = Field(None, alias="from")
    when: dict[str, Any] = Field(default_factory=dict)  # Any: a Condition
    grace: tuple[Grace, ...] = ()
    evidence: tuple[str, ...]
    fine: str = ""
    source: str = ""


class Regime(Model):
    """A law, a supervisor's statement, a standard or a framework, as rows; `gone` says why there are none.

    `when` holds for each of its rows, `facts` follow from those of the system, `fines` are by article;
    `source` and `start` are those of rows that have none of their own. The rows were held on `reviewed_at`
    against the issuer's own text, or against copies and lists of others; `review` says which, and what of
    the rows that confirmed."""

    id: str
    title: str
    source: str
    start: date | None = Field(None, alias="from")
    reviewed_at: date
    reviewed_against: Literal["source", "copies"]
    review: str
    gone: str = ""
    when: dict[str, Any] = Field(default_factory=dict)  # Any: a Condition
    facts: dict[str, dict[str, Any]] = Field(default_factory=dict)
    fines: dict[str, FineTier] = Field(default_factory=dict)
    controls: tuple[Control, ...] = ()


class NamedUse(Model):
    """A use that a law names: what it is, how it counts there, and where that stands."""

    title: str
    counts_as: str
    article: str


@cache
def regimes() -> dict[str, Regime]:
    """Id -> regime, the EU AI Act first, the others by id."""
    names = sorted(
        path.name.removesuffix(".yaml")
        for path in files(_REGIMES).iterdir()
        if path.name.endswith(".yaml") and path.name != "uses.yaml"
    )
    ordered = sorted(names, key=lambda name: (name != _FIRST, name))
    return {name: read_packaged(f"{name}.yaml", Regime, _REGIMES) for name in ordered}


@cache
def uses() -> dict[str, NamedUse]:
    """Name -> a use that `system.uses` can have."""
    return read_packaged("uses.yaml", dict[str, NamedUse], _REGIMES)


@cache
def control_ids() -> frozenset[str]:
    """Of every regime."""
    return frozenset(each.id for regime in regimes().values() for each in regime.controls)


def find_regimes(names: Sequence[str]) -> list[Regime]:
    """The regimes of these names, or all for `all`. Raises SpecError for a name that is none, and for one
    that is no longer in force, with the reason."""
    found = []
    for name in regimes() if "all" in names else names:
        regime = regimes().get(name)
        if regime is None:
            hint = suggest(name, regimes(), f"there are {', '.join(regimes())}, or all")
            raise SpecError(f"no regime {name!r}", hint=hint)
        if regime.gone and "all" not in names:
            raise SpecError(f"{regime.title}: {regime.gone}", hint=f"see {regime.source}")
        if not regime.gone:
            found.append(regime)
    return found


def classes_of(named: Sequence[str]) -> list[str] | None:
    """How these uses count, each class once; None where none is named."""
    return sorted({uses()[name].counts_as for name in named}) or None


def add_classes(facts: Facts) -> Mapping[str, Any]:
    """The facts with the classes of the named uses."""
    return {**facts, "use_classes": classes_of(facts.get("uses") or ())}
