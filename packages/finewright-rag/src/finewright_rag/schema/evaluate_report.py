"""What tuning the weights of an index and measuring its rankings report."""

from pydantic import Field

from finewright.schema.common import Model, Problem
from finewright.schema.evaluate import Difference, Score

DECIDES, SURE = "recall@1", 0.05
"""The metric that tells which ranking to use, and the p-value below which a difference counts."""

CALLED = {"lexical": "words", "dense": "vectors", "equal": "both alike", "tuned": "tuned"}
"""What people read for the name of a ranking."""


class WeightsTried(Model):
    """Weights of the rankings and what they reach on the development set."""

    weights: dict[str, float]
    mrr: float
    recall_at_1: float


class CalibrationSeen(Model):
    """When a search says that no document has this: of `num_questions` answerable questions the share
    `refused` would be, and of everyday questions and random letters the share `foreign_caught`; both are
    of the questions that chose the threshold."""

    num_questions: int
    refused: float
    foreign_caught: float


class RagTuneReport(Model):
    """The weights that an index remembers and why; `questions` counts those asked, by kind.

    `weights` are for questions in the documents' own words, `other_weights` for those in other words; null:
    the same. A null `calibration`: the index never says that no document has this."""

    weights: dict[str, float]
    other_weights: dict[str, float] | None = None
    why: str
    questions: dict[str, int] = Field(default_factory=dict)
    tried: tuple[WeightsTried, ...] = ()
    calibration: CalibrationSeen | None = None


class RagEvaluateReport(Model):
    """How well an index finds the right documents by words, by vectors, and by both.

    `weights` says by system how much each ranking counts; `tuned` is what a search does. Scores are means
    over questions; a difference is `tuned` minus another system on the same ones. `tuned_on` is what chose
    the weights, never the questions measured; `num_left_out` questions that did are not asked. `query_ms` is
    the median of whole searches. From fewer than `fewest` questions nothing is concluded.

    `are_made` says that the questions repeat the documents' own words, so that the scores are upper bounds;
    `hard_scores` are then of the same questions with half of their words exchanged. `other_weights` are the
    tuned ones for questions in other words. `refused` is the share of these questions, all answerable, to
    which a search would say that no document has this; null where it never does."""

    index: str
    questions: str
    n: int
    fewest: int
    confidence: float
    weights: dict[str, dict[str, float]]
    tuned_on: str
    scores: tuple[Score, ...]
    differences: tuple[Difference, ...] = ()
    query_ms: float
    are_made: bool = False
    num_left_out: int = 0
    hard_scores: tuple[Score, ...] = ()
    other_weights: dict[str, float] | None = None
    refused: float | None = None
    problems: tuple[Problem, ...] = ()

    def value(self, system: str, metric: str) -> float:
        """A system's score."""
        return next(s.value for s in self.scores if (s.system, s.metric) == (system, metric))

    @property
    def parts(self) -> tuple[str, ...]:
        """The rankings that `tuned` fuses: words, and vectors where there are any."""
        return tuple(name for name in self.weights if name in ("lexical", "dense"))

    @property
    def is_enough(self) -> bool:
        """Whether there are questions enough to conclude anything."""
        return self.n >= self.fewest

    @property
    def better(self) -> tuple[Difference, ...]:
        """`tuned` minus each part that it beats in recall@1, by the p-value."""
        return tuple(d for d in self._find_decisive() if d.value > 0)

    @property
    def worse(self) -> tuple[Difference, ...]:
        """`tuned` minus each part that beats it in recall@1, by the p-value; the best part first."""
        return tuple(
            sorted((d for d in self._find_decisive() if d.value < 0), key=lambda d: d.value)
        )

    @property
    def passed(self) -> bool:
        """Is neither words nor vectors alone known to be better than `tuned`?"""
        return not self.worse

    def _find_decisive(self) -> list[Difference]:
        found = [d for d in self.differences if d.metric == DECIDES and d.against in self.parts]
        return [d for d in found if d.p_value < SURE] if self.is_enough else []
