"""What the rows are like, figure by figure, each with the rows behind it."""

from typing import Literal

from pydantic import Field

from finewright.schema.common import Model, Problem


class RowRef(Model):
    """A row by where it was read and the start of the digest of what it says."""

    file: str
    row: int
    id: str


class Bar(Model):
    """One bar of a figure: its rows by number, and the first of them by name."""

    label: str
    count: int
    rows: tuple[RowRef, ...] = ()
    is_notable: bool = False
    """Something to look at, rather than a fact among others."""


class Figure(Model):
    """One thing that was measured over rows. The bars of a `histogram` cover each row once, in order;
    `bars` may leave rows out, or count one several times."""

    name: str
    title: str
    about: str
    """How it was measured, and what it does not say."""
    kind: Literal["histogram", "bars"]
    rows: int
    """The rows that were looked at."""
    bars: tuple[Bar, ...]
    summary: dict[str, float] = Field(default_factory=dict)
    """E.g. the median."""


class QualityReport(Model):
    """The figures, in the order in which they are shown, and what deserves a look."""

    rows: int
    figures: tuple[Figure, ...]
    problems: tuple[Problem, ...] = ()

    def figure(self, name: str) -> Figure | None:
        """The figure of that name, where it was measured."""
        return next((figure for figure in self.figures if figure.name == name), None)
