"""The catalog of data sets: complete, dated and pinned."""

import json
import re
from pathlib import Path

import pytest
from pydantic import ValidationError

from finewright.catalog.sets import PackagedSet, read_sets
from finewright.data.sets.build import data_sets
from finewright.schema.sets import Package


def test_a_package_without_its_digest_is_refused():
    with pytest.raises(ValidationError, match="integrity"):
        Package(name="p", version="1.0.0", integrity="sha512-short", license="MIT")


def test_a_digest_of_the_other_registry_is_refused():
    facts = read_sets("finewright.catalog")["sql"].model_dump() | {"registry": "npm"}
    with pytest.raises(ValidationError, match="npm pins by sha512"):
        PackagedSet.model_validate(facts)


@pytest.mark.parametrize("registry", ["npm", "pypi"])
def test_only_a_set_that_comes_along_has_no_packages(registry):
    facts = read_sets("finewright.catalog")["bank-intents"].model_dump() | {"packages": ()}
    assert PackagedSet.model_validate(facts).packages == ()
    with pytest.raises(ValidationError, match=f"names no packages of {registry}"):
        PackagedSet.model_validate(facts | {"registry": registry})


def test_a_set_that_is_share_alike_says_so():
    packaged = read_sets("finewright.catalog")["sql"]
    assert packaged.license == "CC-BY-SA-4.0"
    assert "share-alike" in packaged.license_note


PAGE = (Path(__file__).parents[4] / "docs/sets.md").read_text(encoding="utf-8")
SECTIONS = {part.partition("\n")[0]: part for part in re.split(r"^## ", PAGE, flags=re.M)[1:]}
SETS = data_sets().sets


def test_the_page_has_a_section_of_every_set():
    assert sorted(SECTIONS) == sorted(SETS)


@pytest.mark.parametrize("name", SETS)
def test_a_section_has_the_counts_and_a_row_of_its_set(name):
    for rows in SETS[name].rows.values():
        assert re.search(rf"\b{rows:,}\b", SECTIONS[name])
    (row,) = re.findall(r"```json\n(.*?)\n```", SECTIONS[name], flags=re.S)
    assert json.loads(row)
