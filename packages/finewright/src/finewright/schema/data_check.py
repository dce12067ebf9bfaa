"""What `data check` says of a file, and what `--fix` did to it.

What the rows are like, figure by figure, each with the rows behind it.

What `data documents` made of documents, and the examples that were cut from them."""

from typing import Literal, Self

from pydantic import Field, model_validator

from finewright.schema.common import Model, Problem, check_sum, errors_of


class DocumentsReport(Model):
    """Documents that became records: documents_in = documents_written + all of documents_dropped.

    `out` is empty where nothing was written."""

    documents_in: int
    documents_written: int
    documents_dropped: dict[str, int] = Field(default_factory=dict)
    media_types: dict[str, int] = Field(default_factory=dict)
    out: str
    problems: tuple[Problem, ...] = ()

    @property
    def passed(self) -> bool:
        """Was every document read?"""
        return self.documents_written > 0 and not errors_of(self.problems)

    @model_validator(mode="after")
    def _adds_up(self) -> Self:
        dropped = self.documents_dropped.values()
        check_sum(self.documents_in, self.documents_written, *dropped, what="documents")
        return self


class ExamplesReport(Model):
    """Sections of documents as rows of text, for retrieval and for questions about them.

    `out` is empty where nothing was written."""

    documents_in: int
    documents_dropped: int = 0
    examples_written: int
    out: str
    problems: tuple[Problem, ...] = ()

    @property
    def passed(self) -> bool:
        """Was every document cut?"""
        return self.examples_written > 0 and not errors_of(self.problems)


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


class FoundRows(Model):
    """Something that was found in rows of a file, the words of the first of them, and all of them.

    Of repeats `originals` has the earlier row of each, as FILE:ROW."""

    level: Literal["error", "warning", "info"]
    file: str
    key: str
    message: str
    rows: tuple[int, ...]
    originals: tuple[str, ...] = ()


class DataCheckReport(Model):
    """What would become of the rows: rows_in = rows_kept + rows_truncated + all of rows_dropped.

    Here rows that are kept are kept whole; `rows_by_type` counts them. Without a model nobody can tell which
    rows are too long for it, so `data check` itself never counts one as truncated. A row that holds several,
    as a ranked tree does, counts as so many. The problems are the first of each file and level, and then a
    count; `findings` name every row."""

    rows_in: int
    rows_kept: int
    rows_by_type: dict[str, int] = Field(default_factory=dict)
    rows_truncated: int = 0
    rows_dropped: dict[str, int] = Field(default_factory=dict)
    problems: tuple[Problem, ...] = ()
    findings: tuple[FoundRows, ...] = ()

    @property
    def passed(self) -> bool:
        """Can all that was read be trained on? Warnings do not stop it."""
        return self.rows_kept > 0 and not errors_of(self.problems)

    @model_validator(mode="after")
    def _adds_up(self) -> Self:
        check_sum(self.rows_in, self.rows_kept, self.rows_truncated, *self.rows_dropped.values())
        return self


class FixReport(Model):
    """What was mended: rows_in = rows_written + all of rows_rejected, and mended ones are among the written.

    `mends` counts rows by what was mended in them, `file_mends` files by what was undone for all their
    rows. `out` is empty where no row was written, and then nothing was. `rejected` is the file of the rows
    that could not be mended, empty if there is none."""

    rows_in: int
    rows_written: int
    rows_mended: int
    rows_rejected: dict[str, int] = Field(default_factory=dict)
    mends: dict[str, int] = Field(default_factory=dict)
    file_mends: dict[str, int] = Field(default_factory=dict)
    out: str
    rejected: str = ""
    problems: tuple[Problem, ...] = ()
    findings: tuple[FoundRows, ...] = ()

    @property
    def passed(self) -> bool:
        """Is every row that was read in the file that was written?"""
        return self.rows_written > 0 and not errors_of(self.problems)

    @model_validator(mode="after")
    def _adds_up(self) -> Self:
        check_sum(self.rows_in, self.rows_written, *self.rows_rejected.values())
        return self
