"""What every kind of file with prices must do: a test module subclasses `PriceFileConformance`, says the
plugin's `name`, the place of an `example` below a folder and its `text`, of which each row can be used."""

from contextlib import suppress
from datetime import date
from pathlib import Path
from typing import ClassVar

import pytest

from finewright import plugins
from finewright.catalog.price_file import (
    ImportedPrices,
    PriceFile,
    PriceOrigin,
    parse_prices,
    prices_text,
)
from finewright.catalog.prices import merge_prices, read_packaged_prices
from finewright.errors import DataError
from finewright.schema.catalog import API, Machine, PriceCatalog, Provider

_DAY = date(2026, 11, 20)
_SOURCE = "https://example.org"
_CUTS = 40
"""Places at which the example is cut off."""


class PriceFileConformance:
    """The claims."""

    name: ClassVar[str]
    example: ClassVar[str]
    text: ClassVar[str]
    provider: ClassVar[str] = ""
    """Whose prices they are, where neither the place of the file nor its rows say it."""

    @pytest.fixture
    def source(self) -> PriceFile:
        source: PriceFile = plugins.resolve("price_file", self.name)
        return source

    @pytest.fixture
    def path(self, tmp_path: Path) -> Path:
        return self._write(tmp_path, self.text)

    def test_a_file_is_recognised_by_this_kind_alone(self, source: PriceFile, path: Path) -> None:
        names = plugins.list_names("price_file")
        of_them = [name for name in names if plugins.resolve("price_file", name).recognises(path)]
        assert of_them == [self.name]
        source.check(path)
        assert source.form

    def test_the_rows_have_the_source_and_day_that_are_said_and_can_be_written(
        self, source: PriceFile, path: Path
    ) -> None:
        found = self._read(source, path)
        rows = PriceCatalog(machines=found.machines, apis=found.apis)
        sold: list[Machine | API] = [*rows.machines, *rows.apis]
        assert sold
        assert all(_SOURCE in row.source and row.observed_at == _DAY for row in sold)
        assert (found.left_out, found.bad_lines) == ({}, ())
        known = read_packaged_prices()
        theirs = {row.provider for row in sold} - {row.name for row in known.providers}
        own = [_provider(name) for name in theirs]
        with_own = merge_prices(known, PriceCatalog(providers=tuple(own)))
        assert parse_prices(prices_text(rows, "a test"), "x.yaml", with_own, today=_DAY) == rows

    def test_the_same_file_gives_the_same_rows(self, source: PriceFile, path: Path) -> None:
        assert self._read(source, path) == self._read(source, path)

    @pytest.mark.parametrize("text", ["", "\n", "a,b\n1,2\n", "[1]", "\0", "\ufeff", "{"])
    def test_another_file_is_refused_with_its_name(
        self, source: PriceFile, tmp_path: Path, text: str
    ) -> None:
        path = self._write(tmp_path, text)
        with pytest.raises(DataError, match=path.name):
            source.check(path)

    def test_a_file_that_is_not_utf_8_or_not_there_is_refused(
        self, source: PriceFile, tmp_path: Path
    ) -> None:
        path = self._write(tmp_path, "")
        path.write_bytes(self.text.encode() + b"\xff\xfe\n")
        with pytest.raises(DataError, match=path.name):
            self._read(source, path)
        with pytest.raises(DataError, match="none"):
            source.check(path.with_stem("none"))

    def test_a_file_that_is_cut_off_is_refused_or_gives_rows_that_can_be_used(
        self, source: PriceFile, tmp_path: Path
    ) -> None:
        whole = self._read(source, self._write(tmp_path, self.text))
        for end in range(0, len(self.text), max(1, len(self.text) // _CUTS)):
            path = self._write(tmp_path, self.text[:end])
            with suppress(DataError):  # any other error fails the test
                source.check(path)
                found = self._read(source, path)
                kept = len(found.machines) + len(found.apis)
                assert 0 < kept <= len(whole.machines) + len(whole.apis)
                assert all(why and count > 0 for why, count in found.left_out.items())

    def test_the_files_of_a_folder_are_its_own(self, source: PriceFile, tmp_path: Path) -> None:
        assert list(source.files_in(tmp_path)) == []
        path = self._write(tmp_path, self.text)
        assert set(source.files_in(tmp_path)) <= {path}

    def _write(self, folder: Path, text: str) -> Path:
        path = folder / self.example
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    def _read(self, source: PriceFile, path: Path) -> ImportedPrices:
        provider = self.provider or source.provider_of(path)
        return source.read(path, PriceOrigin(provider, _SOURCE, _DAY), read_packaged_prices())


def _provider(name: str) -> Provider:
    sells = ("machines", "answers")
    return Provider(name=name, title=name, sells=sells, source=_SOURCE, observed_at=_DAY)
