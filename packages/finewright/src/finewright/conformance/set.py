"""What every data set must do: a test module subclasses `SetConformance`, says its `name`, and gives the
fixture `fetched`, packages made by hand from which the set makes rows."""

import json
from collections import Counter
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import ClassVar

import pytest

from finewright import plugins
from finewright.data.sets.build import Content, DataSet, Fetched, build_set


class SetConformance:
    """The claims, on hand-made packages; marked `network`, on the real ones."""

    name: ClassVar[str]

    @pytest.fixture
    def data_set(self) -> DataSet:
        data_set: DataSet = plugins.resolve("set", self.name)()
        return data_set

    def test_it_is_pinned_dated_and_licensed(self, data_set: DataSet) -> None:
        facts = data_set.facts
        assert facts.title
        assert facts.use
        assert facts.license
        assert facts.source
        assert all(package.version and package.license for package in facts.packages)
        names = Counter(package.name for package in facts.packages)
        assert all(times == 1 for times in names.values())
        assert date(2020, 1, 1) <= facts.observed_at

    def test_it_makes_the_files_that_are_counted(
        self, data_set: DataSet, fetched: Sequence[Fetched]
    ) -> None:
        rows = data_set.content(fetched, data_set.facts).rows.rows
        assert rows.keys() == data_set.facts.rows.keys()
        assert any(rows.values()), "the hand-made packages give no row"

    def test_the_same_packages_give_the_same_bytes(
        self, data_set: DataSet, fetched: Sequence[Fetched]
    ) -> None:
        first, again = (data_set.content(fetched, data_set.facts) for _ in range(2))
        for one, other in zip(first, again, strict=True):
            assert _text_of_content(one) == _text_of_content(other)

    def test_no_row_is_in_two_files_and_what_is_left_out_is_counted(
        self, data_set: DataSet, fetched: Sequence[Fetched]
    ) -> None:
        for content in data_set.content(fetched, data_set.facts):
            if content is not None:
                files = [{json.dumps(row) for row in of} for of in content.rows.values()]
                assert sum(map(len, files)) == len(set().union(*files))
                assert all(why and count > 0 for why, count in content.dropped.items())

    @pytest.mark.network
    def test_the_real_packages_give_the_rows_that_are_counted(
        self, data_set: DataSet, tmp_path: Path
    ) -> None:
        report = build_set(self.name, tmp_path / "out")
        assert report.written
        counted = {file: of.rows for file, of in report.provenance.files.items()}
        assert counted == data_set.facts.rows
        sources = {f"{of.name}@{of.version}" for of in report.provenance.packages}
        for file in counted:
            for line in (tmp_path / "out" / file).read_bytes().splitlines():
                row = json.loads(line)
                assert row.get("license", data_set.facts.license) == data_set.facts.license
                assert row.get("source") in {None, *sources}


def _text_of_content(content: Content | None) -> str:
    if content is None:
        return ""
    return json.dumps([content.rows, content.settings.model_dump(mode="json"), content.dropped])
