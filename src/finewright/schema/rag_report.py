"""What tuning the weights of an index and measuring its rankings report."""

from pydantic import Field

from finewright.schema.common import Model, Problem
from finewright.schema.evaluate import Difference, Score


class WeightsTried(Model):
    """Weights of the rankings and what they reach on the development set."""

    weights: dict[str, float]
    mrr: float
    recall_at_1: float


class RagTuneReport(Model):
    """The weights that an index remembers and why; `questions` counts those asked, by kind."""

    weights: dict[str, float]
    why: str
    questions: dict[str, int] = Field(default_factory=dict)
    tried: tuple[WeightsTried, ...] = ()


class RagEvaluateReport(Model):
    """How well an index finds the right documents by words, by vectors, and by both.

    `weights` says by system how much each ranking counts; `tuned` is what a search does. Scores are means
    over questions; a difference is `tuned` minus another system on the same ones. `tuned_on` is what chose
    the weights, never the questions measured. `query_ms` is the median of whole searches."""

    index: str
    questions: str
    n: int
    confidence: float
    weights: dict[str, dict[str, float]]
    tuned_on: str
    scores: tuple[Score, ...]
    differences: tuple[Difference, ...] = ()
    query_ms: float
    problems: tuple[Problem, ...] = ()

    def value(self, system: str, metric: str) -> float:
        """A system's score."""
        return next(s.value for s in self.scores if (s.system, s.metric) == (system, metric))

    @property
    def passed(self) -> bool:
        """Is the first document of `tuned` right at least as often as that of words or vectors alone?"""
        parts = [name for name in self.weights if name in ("lexical", "dense")]
        best = max(self.value(name, "recall@1") for name in parts)
        return self.value("tuned", "recall@1") >= best
