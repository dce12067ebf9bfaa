"""What a `cost` section cannot ask for."""

from collections.abc import Iterator

from finewright.catalog.prices import check_tier, gpu_named, machines_of, own_folder, prices
from finewright.errors import DataError
from finewright.schema.common import Problem
from finewright_advice.cost.spec import CostSpec


def faults(spec: CostSpec) -> Iterator[Problem]:
    """What the section asks of the price catalog that is not in it."""
    catalog = prices(own_folder())
    for key, names, ask in (
        ("providers", spec.providers, lambda name: machines_of(catalog, provider=name)),
        ("gpus", spec.gpus, lambda name: gpu_named(catalog, name)),
        ("tiers", spec.tiers, lambda name: check_tier(catalog, name)),
    ):
        for i, name in enumerate(names):
            try:
                ask(name)
            except DataError as error:
                where, what = f"cost.{key}.{i}", str(error)
                yield Problem(level="error", key=where, message=what, hint=error.hint)
