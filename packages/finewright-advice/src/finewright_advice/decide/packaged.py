"""An adviser with the packaged facts, and the user's own prices over them."""

from datetime import date

from finewright.catalog.licences import licences
from finewright.catalog.models import open_models
from finewright.catalog.prices import digest
from finewright.errors import DataError
from finewright.schema.catalog import PriceCatalog
from finewright.store.keys import digest as digest_of
from finewright_advice.catalog.advice import (
    Advice,
    read_packaged_advice,
    read_packaged_capabilities,
)
from finewright_advice.decide.advise import Adviser
from finewright_advice.decide.check import KnownNames, wrongs
from finewright_advice.decide.choice import Candidates
from finewright_advice.decide.facts import Facts
from finewright_advice.decide.figures import figures_with
from finewright_advice.decide.models import Resolve, models_of
from finewright_advice.decide.spec import DecideSpec


def collect_known_names(prices: PriceCatalog, resolve: Resolve, today: date) -> KnownNames:
    """What the names of a spec are looked up in."""
    return KnownNames(read_packaged_advice(), prices, resolve, today)


def adviser_for(spec: DecideSpec, known: KnownNames) -> Adviser:
    """The adviser that the spec asks for. Raises DataError, a line each, where it names what nobody knows."""
    found = wrongs(spec, known)
    if found:
        raise DataError("\n".join(f"decide.{'.'.join(map(str, w.loc))}: {w.what}" for w in found))
    models = models_of(spec.base_model, known.resolve, known.today)
    facts = Facts(known.prices, known.advice, models, known.today)
    return Adviser(
        known.advice,
        figures_with(facts),
        _digest(known.advice, known.prices),
        known.today,
        Candidates(api=_apis(known.prices), own=_open()),
    )


def _apis(prices: PriceCatalog) -> tuple[str, ...]:
    """The models of APIs, without what is fine-tuned from one of them."""
    return tuple(dict.fromkeys(a.model for a in prices.apis if not a.model.startswith("ft:")))


def _open() -> tuple[str, ...]:
    """The open models, without those that are taken where a spec names them alone."""
    return tuple(name for name, row in open_models().items() if not row.named_alone)


def _digest(advice: Advice, prices: PriceCatalog) -> str:
    return digest_of(
        digest(prices), advice, open_models(), read_packaged_capabilities(), licences()
    )[:12]
