"""Which golden prompts are training rows with other values, and what is measured on the others."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

from finewright.data.templates import of_known_templates
from finewright.evaluate.cautions import recall_problem
from finewright.evaluate.score import ScoreOptions
from finewright.schema.common import Problem
from finewright.schema.rows import Row
from finewright_bridge.migrate.golden_rows import GoldenRow, held_out
from finewright_bridge.migrate.non_inferiority import GoldenAnswers, against_expected
from finewright_bridge.migrate.results import Bound, ParityTerms


class Recall(NamedTuple):
    """The numbers of the golden rows that repeat training rows but for values, and of the new ones."""

    repeated: tuple[int, ...]
    new: tuple[int, ...]

    def problems(self) -> Iterator[Problem]:
        """What must be said before anything is trained."""
        yield from recall_problem("the golden set", len(self.repeated), len(self.new))

    def bounds(
        self, answers: Sequence[GoldenAnswers], stated: ParityTerms, options: ScoreOptions
    ) -> dict[str, tuple[Bound, ...]]:
        """Old and new model against the right answers, on either kind of row."""
        parts = {"repeated_rows": self.repeated, "new_rows": self.new}
        return {
            name: against_expected([a for a in answers if a.row in rows], stated, options)
            for name, rows in parts.items()
        }


def recall(train: Sequence[Row], golden: Sequence[GoldenRow]) -> Recall:
    """By the right answer where it is known, else the old model's: a wrong one has a template of its own."""
    right = [replace(row, answer=row.expected or row.answer) for row in golden]
    known = of_known_templates(train, list(held_out(right)))
    numbers = range(1, len(golden) + 1)
    return Recall(
        tuple(i for i in numbers if i - 1 in known), tuple(i for i in numbers if i - 1 not in known)
    )
