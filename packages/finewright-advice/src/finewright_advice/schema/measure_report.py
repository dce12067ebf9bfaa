"""What `decide --measure` found: each arm's success, cost and speed, the tests between them, the probes."""

from typing import Literal

from pydantic import Field

from finewright.schema.common import Model, Problem
from finewright.schema.cost import Range
from finewright.schema.evaluate import Difference, Score
from finewright_advice.schema.measure import Arm


class RowShare(Model):
    """A share of rows with its interval."""

    value: float
    low: float
    high: float
    n: int


class Power(Model):
    """What so many rows show at 80 % power and the 5 % level, where `discordant` of the answers differ."""

    rows: int
    difference: float
    discordant: float
    rows_needed: int
    detectable: float | None = Field(
        None, description="The least difference that these rows show; None where none can be shown."
    )


class Decontaminated(Model):
    """Training rows that were left out since a held-out row is the same, asks the same, or is near."""

    rows_before: int
    removed: dict[str, int] = Field(default_factory=dict)

    @property
    def rows(self) -> int:
        """Training rows that are left."""
        return self.rows_before - sum(self.removed.values())


class Latency(Model):
    """One request at a time, in milliseconds; the search for passages is within each."""

    n: int
    ttft_p50: float
    p50: float
    p95: float
    mean: float
    search_p50: float = 0.0


class RequestTokens(Model):
    """Mean tokens of a request."""

    prompt: float
    answer: float


class RequestCost(Model):
    """What a request costs, the training paid off over `requests`; dollars where the machine has a price."""

    training_seconds: float
    seconds: float = Field(
        description="Machine seconds of a request, its share of training within."
    )
    seconds_per_solved: float | None
    usd: float | None = None
    usd_per_solved: float | None = None
    api_usd: Range | None = Field(
        None, description="The same tokens at the API's prices; for options that train nothing."
    )


class TrainedArm(Model):
    """A run that trained an arm; `run` is its folder, relative to the experiment's."""

    run: str
    rows: int
    steps: int
    tokens: int
    seconds: float
    max_length: int


class ArmReport(Model):
    """One arm on the held-out rows."""

    arm: Arm
    shots: int = 0
    scores: tuple[Score, ...]
    solved: RowShare
    p_best: float = Field(description="Share of resamples of the rows in which it solves the most.")
    latency: Latency
    tokens: RequestTokens
    cost: RequestCost
    training: TrainedArm | None = None
    is_cost_frontier: bool
    is_latency_frontier: bool


class PairTest(Model):
    """Two arms on solved or not: paired difference with interval, exact McNemar, Holm's correction."""

    arm: Arm
    against: Arm
    difference: Difference
    won: int
    lost: int
    p_value: float
    p_holm: float


class ShotsTried(Model):
    """A number of examples on the development rows."""

    shots: int
    solved: RowShare


class FoundPrompt(Model):
    """The instructions of `gepa`, "" where none beat the question as it is: `before` and `after` are shares
    of the development rows, `seconds` and `answers` of the whole search, tokens of the rewriter where a
    server counted them."""

    instructions: str
    by: str
    rewrites: int
    kept: int
    answers: int
    before: RowShare
    after: RowShare
    seconds: float
    tokens_in: int = 0
    tokens_out: int = 0


class CurvePoint(Model):
    """The arm trained on so many rows."""

    share: float
    rows: int
    solved: RowShare


class GainCurve(Model):
    """How success grows with the rows: `gain` is the paired difference of the last two points."""

    arm: Arm
    points: tuple[CurvePoint, ...]
    gain: Difference
    reading: str


class FactProbe(Model):
    """An arm asked after documents were edited: of facts that changed, and of facts that did not."""

    arm: Arm
    known_before: RowShare | None = Field(
        None, description="Share of the facts to change that it had right before the change."
    )
    follows_new: RowShare
    gives_old: RowShare
    kept: RowShare = Field(description="Share of unchanged facts that it has right.")


class Changed(Model):
    """A fact that was changed: in which documents, from what to what."""

    question: str
    old: str
    new: str
    documents: tuple[str, ...]


class Abstention(Model):
    """An arm with passages: whether it says so when they do not hold the answer, and only then."""

    arm: Arm
    unanswerable: RowShare
    answerable: RowShare


class Forgetting(Model):
    """A model on general questions, and what training took; `system` is base, ft or rag+ft."""

    system: str
    score: Score
    perplexity: Score
    change: Difference | None = None


class Retrieval(Model):
    """How often a right document is among the passages of a held-out question."""

    found: RowShare
    passages: int
    documents: int
    chunks: int
    embedder: str


class Recommendation(Model):
    """The end of it: one sentence, and how sure it is."""

    arm: Arm
    kind: Literal["better", "cheapest of equals", "none works"]
    p_best: float
    equals: tuple[Arm, ...] = ()
    sentence: str


class Baseline(Model):
    """What an arm must beat where answers are labels: the arm that solves most minus it in `difference`."""

    name: str
    solved: RowShare
    difference: Difference


class MeasureReport(Model):
    """The whole experiment. Intervals are at level `confidence`, tests at `alpha` after Holm's correction."""

    name: str
    folder: str
    base_model: str
    solved_by: str
    confidence: float
    alpha: float
    rows_train: int
    rows_dev: int
    rows_test: int
    requests: int
    power: Power
    decontaminated: Decontaminated
    arms: tuple[ArmReport, ...]
    pairs: tuple[PairTest, ...]
    baselines: tuple[Baseline, ...] = ()
    shots: tuple[ShotsTried, ...] = ()
    prompt: FoundPrompt | None = None
    retrieval: Retrieval | None = None
    curve: GainCurve | None = None
    facts: tuple[FactProbe, ...] = ()
    changed: tuple[Changed, ...] = ()
    abstention: tuple[Abstention, ...] = ()
    forgetting: tuple[Forgetting, ...] = ()
    prices: str = ""
    recommendation: Recommendation
    problems: tuple[Problem, ...] = ()
