"""The catalog of data sets: complete, dated and pinned."""

import json
import re
from datetime import date
from pathlib import Path

import pytest
from pydantic import ValidationError

from finewright.catalog.sets import PackagedSet, data_sets
from finewright.schema.sets import Package


def test_every_set_is_pinned_dated_and_licensed():
    for packaged in data_sets().sets.values():
        assert all(package.version and package.license for package in packaged.packages)
        assert date(2026, 1, 1) <= packaged.observed_at
        assert packaged.license
        assert packaged.source


def test_chain_one_is_ethereum():
    chain = data_sets().sets["erc7730"].chains[1]
    assert (chain.name, chain.native) == ("Ethereum", "ETH")


def test_no_package_is_named_twice_in_a_set():
    for packaged in data_sets().sets.values():
        names = [package.name for package in packaged.packages]
        assert len(set(names)) == len(names)


def test_a_package_without_its_digest_is_refused():
    with pytest.raises(ValidationError, match="integrity"):
        Package(name="p", version="1.0.0", integrity="sha512-short", license="MIT")


def test_a_digest_of_the_other_registry_is_refused():
    facts = data_sets().sets["sql"].model_dump() | {"registry": "npm"}
    with pytest.raises(ValidationError, match="npm pins by sha512"):
        PackagedSet.model_validate(facts)


def test_a_set_that_is_share_alike_says_so():
    packaged = data_sets().sets["sql"]
    assert packaged.license == "CC-BY-SA-4.0"
    assert "share-alike" in packaged.license_note


PAGE = (Path(__file__).parents[2] / "docs/sets.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", data_sets().sets)
def test_the_page_has_a_section_with_the_counts_and_a_row_of_every_set(name):
    section = re.split(r"^## ", PAGE, flags=re.M)[1:][list(data_sets().sets).index(name)]
    assert section.startswith(f"{name}\n")
    for rows in data_sets().sets[name].rows.values():
        assert re.search(rf"\b{rows:,}\b", section)
    (row,) = re.findall(r"```json\n(.*?)\n```", section, flags=re.S)
    assert json.loads(row)
