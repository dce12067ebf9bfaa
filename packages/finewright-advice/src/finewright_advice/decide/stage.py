"""The decide stage: the advice for the run's own `decide` section, kept beside what the run then does."""

from finewright.catalog.prices import read_packaged_prices
from finewright.store.manifest import read_manifest
from finewright.store.stage import StageContext, StageResult
from finewright_advice.decide.packaged import adviser_for, collect_known_names
from finewright_advice.decide.spec import DecideSpec


def run(context: StageContext) -> StageResult:
    """Advise as on the day when the run was made, by the packaged facts: doing it again gives the same bytes.

    The spec has a `decide` section, or there is no such stage."""
    spec = context.spec.section("decide", DecideSpec)
    assert spec is not None
    today = read_manifest(context.run).created.date()
    adviser = adviser_for(spec, collect_known_names(read_packaged_prices(), context.resolve, today))
    return StageResult(adviser.advise(context.spec.name, spec), (), ())
