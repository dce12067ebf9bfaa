"""The same run at a host that asks by the million tokens: what it costs, and how it is served."""

from collections.abc import Iterator, Sequence
from datetime import date

from finewright.schema.catalog import HostedTuning, PriceCatalog
from finewright.schema.cost import HostedEstimate, Range
from finewright_advice.cost.job import TrainingJob


def hosted(
    job: TrainingJob, catalog: PriceCatalog, tokens: Range, providers: Sequence[str], today: date
) -> Iterator[HostedEstimate]:
    """A row for each host that trains such open models by the job's method and adapter today, the cheapest
    first.

    Of the `providers` alone, where some are named. Most rows know the models by their size alone: whether a
    host trains yours is for its own list to say."""
    name, size, method = job.base_model, job.shape.parameters, job.train.method
    adapter = "full" if job.train.adapter.type == "none" else job.train.adapter.type
    found = [
        HostedEstimate(
            provider=row.provider,
            model=row.model,
            usd=row.run_usd(tokens),
            served_by=row.served_by,
            hosting_usd_per_hour=row.hosting_usd_per_hour,
            note=_note(row),
            observed_at=row.observed_at,
        )
        for row in catalog.tunings
        if row.trains(name, size, method, today, adapter=adapter)
        and (not providers or row.provider in providers)
    ]
    yield from sorted(found, key=lambda each: each.usd.median if each.usd else float("inf"))


def _note(row: HostedTuning) -> str:
    ends = f"no new job from {row.ends} on" if row.ends else ""
    return "; ".join(filter(None, (row.note or row.method, ends)))
