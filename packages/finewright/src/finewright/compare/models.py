"""A model in this process as a system, which is loaded only where a row must be asked."""

from collections.abc import Callable, Iterator, Set
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from finewright.compare.asking import AnsweredBatch
from finewright.evaluate.measured import RowSet, Settings
from finewright.schema.rows import Row

if TYPE_CHECKING:
    from finewright.evaluate.answers import Rate
    from finewright.lm.chat import Chat
    from finewright.lm.engine.draft import DraftGuesses
    from finewright.lm.model import LM


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A model as it stands in `lm`, its chat template, and the name it goes by in reports.

    `rate` is a reward model's own rating; `system_prompt` is what the model was trained with, and so what it
    should be asked with. `dropped` are the switches of the chat template that were asked for and that its
    template does not know. `draft` guesses tokens ahead."""

    name: str
    lm: "LM"
    chat: "Chat"
    rate: "Rate | None" = None
    system_prompt: str = ""
    dropped: tuple[str, ...] = ()
    draft: "DraftGuesses | None" = None


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
