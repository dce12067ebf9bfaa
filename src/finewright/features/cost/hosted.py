"""The same run at a host that asks by the million tokens: what it costs, and how it is served."""

from collections.abc import Iterator

from finewright.features.cost.job import TrainingJob
from finewright.schema.catalog import PriceCatalog
from finewright.schema.cost import HostedEstimate, Range

_METHODS = ("sft", "dpo")
"""What hosts offer; others run on a machine of one's own or for rent."""


def hosted(job: TrainingJob, catalog: PriceCatalog, tokens: Range) -> Iterator[HostedEstimate]:
    """A row for each host that trains open models of the size by the job's method, the cheapest first.

    Hosts have a list of the models that they train, which the catalog does not know: ask for yours."""
    if job.train.method not in _METHODS:
        return
    rows = [row for row in catalog.tunings if row.covers(job.shape.parameters)]
    found = [
        HostedEstimate(
            provider=row.provider,
            model=row.model,
            usd=row.run_usd(tokens),
            served_by=row.served_by,
            hosting_usd_per_hour=row.hosting_usd_per_hour,
            note=row.note or row.method,
            observed_at=row.observed_at,
        )
        for row in rows
    ]
    yield from sorted(found, key=lambda each: each.usd.median if each.usd else float("inf"))
