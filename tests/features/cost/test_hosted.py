"""A run at a host beside the machines: by the million tokens, for the sizes and methods that it trains."""

from dataclasses import replace

import pytest

from features.cost.jobs import LLAMA_8B, job_of
from finewright.catalog.prices import packaged_prices
from finewright.features.cost.hosted import hosted
from finewright.schema.cost import Range
from finewright.schema.methods import KTOSpec

TOKENS = Range(low=10e6, median=15.36e6, high=20e6)


def test_hosts_come_by_price_and_only_for_the_size() -> None:
    rows = list(hosted(job_of(LLAMA_8B), packaged_prices(), TOKENS))
    assert {"together", "fireworks"} <= {row.provider for row in rows}
    middles = [row.usd.median for row in rows if row.usd]
    assert middles == sorted(middles)
    together = next(row for row in rows if row.provider == "together")
    assert together.usd is not None
    assert together.usd.median == pytest.approx(0.48 * 15.36)
    assert together.model == "open models up to 16B"


def test_a_method_that_hosts_do_not_train_by_has_no_row() -> None:
    job = replace(job_of(LLAMA_8B), train=KTOSpec())
    assert not list(hosted(job, packaged_prices(), TOKENS))
