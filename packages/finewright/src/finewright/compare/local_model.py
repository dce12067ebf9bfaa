"""A model in this process as a system, which is loaded only where a row must be asked."""

from collections.abc import Callable, Iterator, Set
from dataclasses import dataclass, replace

from finewright.compare.asking import AnsweredBatch
from finewright.compare.models import LoadedModel
from finewright.evaluate.measured import RowSet, Settings
from finewright.schema.rows import Row


def unchanged(row: Row) -> Row:
    """The row as it is."""
    return row


@dataclass(frozen=True, slots=True)
class LocalModel:
    """A model that `load` gives, asked greedily; `prepare` puts something before what a row asks.

    `key` says which model it is and what is put there."""

    name: str
    key: str
    load: Callable[[], LoadedModel]
    prepare: Callable[[Row], Row] = unchanged

    def answers(
        self, row_set: RowSet, settings: Settings, missing: Set[int]
    ) -> Iterator[AnsweredBatch]:
        """See `answered_batches`."""
        from finewright.compare.local import answered_batches

        subject = replace(self.load(), name=self.name)
        prepared = replace(row_set, rows=[self.prepare(row) for row in row_set.rows])
        yield from answered_batches(subject, prepared, settings, missing)


def loaded(subject: LoadedModel, key: str) -> LocalModel:
    """A model that is in memory already, as a system."""
    return LocalModel(subject.name, key, lambda: subject)
