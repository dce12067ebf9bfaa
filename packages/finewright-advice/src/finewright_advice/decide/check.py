"""What a `decide` section says that cannot be: names nobody knows, prompts that no model holds."""

from collections.abc import Callable, Iterator
from datetime import date
from functools import partial
from typing import NamedTuple

from finewright.catalog.prices import api_named, gpu_named
from finewright.errors import FinewrightError
from finewright.schema.aliases import close_choice
from finewright.schema.catalog import PriceCatalog
from finewright_advice.catalog.advice import Advice
from finewright_advice.catalog.laws import read_packaged_laws
from finewright_advice.decide.models import Resolve, read_base_model
from finewright_advice.decide.spec import UNKNOWN, DecideSpec


class Wrong(NamedTuple):
    """A key below `decide`, and what is wrong with its value."""

    loc: tuple[str | int, ...]
    what: str


class KnownNames(NamedTuple):
    """What names are looked up in."""

    advice: Advice
    prices: PriceCatalog
    resolve: Resolve
    today: date


def wrongs(spec: DecideSpec, known: KnownNames) -> list[Wrong]:
    """Every value that no decision can be made with; the schema has found the others."""
    return [
        *_domain(spec, known),
        *_hardware(spec, known),
        *_models(spec, known),
    ]


def _domain(spec: DecideSpec, known: KnownNames) -> Iterator[Wrong]:
    names = list(read_packaged_laws().domains)
    if spec.domain not in (*names, UNKNOWN):
        near = close_choice(spec.domain, names) or f"; known are {', '.join(names)}"
        yield Wrong(("domain",), f"unknown domain {spec.domain!r}{near}")


def _hardware(spec: DecideSpec, known: KnownNames) -> Iterator[Wrong]:
    for i, item in enumerate(spec.hardware if isinstance(spec.hardware, tuple) else ()):
        if isinstance(item, str):
            yield from _find_refusal(("hardware", i), partial(gpu_named, known.prices, item))


def _models(spec: DecideSpec, known: KnownNames) -> Iterator[Wrong]:
    if spec.base_model != UNKNOWN:
        read = partial(read_base_model, spec.base_model, known.resolve, known.today)
        yield from _find_refusal(("base_model",), read)
    if spec.api_model != UNKNOWN:
        yield from _find_refusal(("api_model",), partial(api_named, known.prices, spec.api_model))


def _find_refusal(loc: tuple[str | int, ...], claim: Callable[[], object]) -> Iterator[Wrong]:
    try:
        claim()
    except FinewrightError as error:
        hint = f" ({error.hint})" if error.hint else ""
        yield Wrong(loc, f"{error}{hint}")
