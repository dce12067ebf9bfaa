"""What `data documents` made of documents, and the examples that were cut from them."""

from typing import Self

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
