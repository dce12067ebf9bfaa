"""Systems on the same rows: what each scores by the metric that decides, and how they differ row by row."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from finewright.compare.asking import OnProgress, RowAnswer, System, ask
from finewright.evaluate.measured import RowSet, Settings
from finewright.evaluate.score import ScoredSet, ScoreOptions
from finewright.evaluate.score import compare as differences_of
from finewright.report.cells import percent
from finewright.schema.evaluate import Difference, Score
from finewright.store.answers import AnswersLog


@dataclass(frozen=True, slots=True)
class Comparison:
    """Systems by name, scored on the same rows, and the metric that decides."""

    systems: Mapping[str, ScoredSet]
    metric: str
    options: ScoreOptions

    @property
    def level(self) -> float:
        """A p-value up to this shows a difference."""
        return 1 - self.options.confidence

    def score(self, system: str) -> Score:
        """By the metric that decides."""
        return next(s for s in self.systems[system].scores if s.metric == self.metric)

    def difference(self, system: str, against: str) -> Difference:
        """`system` minus `against` by the metric that decides, paired by row."""
        both = (self.systems[system], self.systems[against])
        return next(d for d in differences_of(*both, self.options) if d.metric == self.metric)

    def rank(self) -> list[str]:
        """The best first; of equals the one that was named first."""
        return sorted(self.systems, key=lambda name: -self.score(name).value)


def compare(
    systems: Sequence[System],
    row_set: RowSet,
    settings: Settings,
    metric: str,
    log: AnswersLog[RowAnswer],
    on_progress: OnProgress,
) -> Comparison:
    """Ask every system the rows that the log lacks, and score all by the metric that decides."""
    found = {}
    for system in systems:
        answers = ask(system, row_set, settings, log, on_progress)
        found[system.name] = answers.score((metric,), settings.options)
    return Comparison(found, metric, settings.options)


def describe_score(score: Score) -> str:
    """`exact_match 90.0 % (70-97)`."""
    return f"{score.metric} {percent(score)}"
