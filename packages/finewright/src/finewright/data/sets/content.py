"""What a set is built from and what comes out: fetched packages in, rows by file out."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from finewright.catalog.sets import PackagedSet
from finewright.schema.common import Model
from finewright.schema.sets import Package

JsonRow = dict[str, Any]  # Any: a row of any set
"""A line of a set's JSONL."""


class Fetched(NamedTuple):
    """A package and its files that the set is made from, by name."""

    package: Package
    files: Mapping[str, bytes]

    @property
    def source(self) -> str:
        """The package as rows name it: `name@version`."""
        return f"{self.package.name}@{self.package.version}"

    def texts(self) -> Iterator[tuple[str, str]]:
        """Path and text of each file; npm's `package/` before every path is left out."""
        for name, data in self.files.items():
            yield name.removeprefix("package/"), data.decode()


class Content(NamedTuple):
    """The rows of some files, the settings they were built with, and what was left out."""

    rows: Mapping[str, Sequence[JsonRow]]
    settings: Model
    dropped: dict[str, int]


class SetContent(NamedTuple):
    """A set's rows and, if there are any, what is made of them to learn from feedback."""

    rows: Content
    feedback: Content | None = None


class DataSet(NamedTuple):
    """A data set as its plugin gives it: the facts, and what makes its rows of the fetched packages.

    The same packages give the same rows. `content` gets the facts as they are asked for: without their
    copyleft licences unless the user wants those files."""

    facts: PackagedSet
    content: Callable[[Sequence[Fetched], PackagedSet], SetContent]


def traced(row: JsonRow, license: str, source: str, source_file: str) -> JsonRow:
    """The row with its licence, its package and the file in it, as every row of a set has them."""
    return {**row, "license": license, "source": source, "source_file": source_file}


def named_files(rows: Mapping[str, Sequence[JsonRow]]) -> dict[str, Sequence[JsonRow]]:
    """The rows by the names of their files."""
    return {f"{name}.jsonl": of_file for name, of_file in rows.items()}
