"""The catalog of data sets: complete, dated and pinned."""

from datetime import date

from finewright.catalog.sets import data_sets


def test_every_set_is_pinned_dated_and_licensed():
    for packaged in data_sets().sets.values():
        assert packaged.integrity.startswith("sha512-")
        assert packaged.version
        assert date(2026, 1, 1) <= packaged.observed_at
        assert packaged.license
        assert packaged.source


def test_chain_one_is_ethereum():
    chain = data_sets().sets["erc7730"].chains[1]
    assert (chain.name, chain.native) == ("Ethereum", "ETH")
