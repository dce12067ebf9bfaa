"""A model in this process as a system, which is loaded only where a row must be asked."""

from collections.abc import Callable, Iterator, Set
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from finewright.compare.asking import AnsweredBatch, OnProgress, RowAnswer
from finewright.schema.rows import Row

if TYPE_CHECKING:
    from finewright.evaluate.measure import RowSet, Settings, Subject


def unchanged(row: Row) -> Row:
    """The row as it is."""
    return row


@dataclass(frozen=True, slots=True)
class LocalModel:
    """A model that `load` gives, asked greedily; `prepare` puts something before what a row asks.

    `key` says which model it is and what is put there."""

    name: str
    key: str
    load: "Callable[[], Subject]"
    prepare: Callable[[Row], Row] = unchanged

    def answers(
        self, row_set: "RowSet", settings: "Settings", missing: Set[int], on_progress: OnProgress
    ) -> Iterator[AnsweredBatch]:
        """All rows of the set: beside other questions an answer may differ in its last digit.

        Raises DataError for a metric that has nothing to say of the rows."""
        from finewright.evaluate.answers import question_of
        from finewright.evaluate.measure import measure

        subject = replace(self.load(), name=self.name)
        rows = [self.prepare(row) for row in row_set.rows]
        measured = measure(subject, replace(row_set, rows=rows), settings, on_progress)
        found = zip(rows, measured.samples, measured.scored.answers, strict=True)
        answers = [
            RowAnswer(
                sample=sample,
                prompt_tokens=len(question_of(subject.chat, row).prompt_ids),
                nll=answered.nll,
                expected_tokens=answered.num_tokens,
            )
            for row, sample, answered in found
        ]
        yield AnsweredBatch(range(len(rows)), answers)
