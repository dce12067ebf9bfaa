"""Decisions: a label, several labels or a score, each with how sure it is, what holds the right one as often
as stated, and whether a person should be asked."""

import json
from collections.abc import Mapping
from typing import Literal, Self

from pydantic import Field, model_validator

from finewright.schema.common import Model, default

WORDS_FILE = "words.json"
"""Where a linear model on words keeps those that at least two of its training rows have."""

DecisionKind = Literal["single", "several", "score"]


class DecisionSpec(Model):
    """What is decided, how that is calibrated, and when a person had better be asked."""

    kind: DecisionKind = default(
        "single",
        "What the answer of a row is: `single`, one label; `several`, a JSON list of labels, which may be"
        " empty; `score`, a number",
        "most decisions are one label",
    )

    calibration: float = default(
        0.1,
        "Share of the training rows that train nothing: they calibrate the probabilities and the sets",
        "enough for steady sets from a few hundred rows on, and little is lost for training",
        gt=0.0,
        lt=1.0,
    )
    coverage: float = default(
        0.9,
        "How often the set holds the right label, or the interval the score; of several labels the share of"
        " a row's labels that its set holds, on average",
        "the usual",
        gt=0.5,
        lt=1.0,
    )
    cost_wrong: float = default(
        2.0,
        "Cost of a wrong label, in the unit of cost_ask",
        "with cost_ask 1 unsure means: the label is less likely than not",
        gt=0.0,
    )
    cost_missed: float | None = default(
        None,
        "Of several labels: cost of a missed one. With it their threshold is the one of least cost;"
        " without it the one of the best F1, and a missed label costs as much as a wrong one",
        "F1 needs no costs",
        gt=0.0,
    )
    cost_ask: float = default(1.0, "Cost of asking a person", "the unit of all costs", gt=0.0)
    cutoff: float | None = default(
        None,
        "Of a score: where what is done with it changes. Unsure are scores whose interval holds it; without"
        " it none is",
        "only the task knows it",
    )

    @model_validator(mode="after")
    def _keys_of_the_kind(self) -> Self:
        for key, kind in (("cost_missed", "several"), ("cutoff", "score")):
            if getattr(self, key) is not None and self.kind != kind:
                raise ValueError(
                    f"{key} does nothing: it is of kind {kind}, and kind is {self.kind}"
                )
        return self

    @property
    def bounds(self) -> str:
        """What holds the right answer as often as stated."""
        return "intervals" if self.kind == "score" else "sets"

    @property
    def threshold(self) -> float:
        """The probability below which asking costs less than answering: 1 - cost_ask / cost_wrong (Chow 1970,
        On optimum recognition error and reject tradeoff)."""
        return max(0.0, 1.0 - self.cost_ask / self.cost_wrong)


class LabelDecision(Model):
    """A label and how sure it is. `set` are the labels, likeliest first, that hold the right one as often as
    stated; it is empty where no label is likely enough for that. `unsure`: asking a person costs less, or
    the text shows the model no word that it knows; so with the others."""

    label: str
    confidence: float
    set: tuple[str, ...]
    unsure: bool

    @property
    def answer(self) -> str:
        """As a row of the training data has it."""
        return self.label

    @property
    def watched(self) -> float:
        """What the test for drift looks at."""
        return self.confidence


class MultilabelDecision(Model):
    """The labels whose probability reaches their threshold, and the probability of every label.

    `set` are the labels, likeliest first, that hold the stated share of a row's labels on average. `unsure`:
    by the probabilities, wrong and missed labels cost more than asking a person."""

    labels: tuple[str, ...]
    probabilities: dict[str, float]
    set: tuple[str, ...]
    unsure: bool

    @property
    def answer(self) -> str:
        """As a row of the training data has it."""
        return json.dumps(sorted(self.labels), ensure_ascii=False)

    @property
    def watched(self) -> float:
        """What the test for drift looks at: the largest probability."""
        return max(self.probabilities.values())


class ScoreDecision(Model):
    """A score, and the interval that holds the right one as often as stated. `unsure`: the cutoff is within;
    None where none was stated and the text has a word that is known."""

    score: float
    low: float
    high: float
    unsure: bool | None

    @property
    def answer(self) -> str:
        """As a row of the training data has it."""
        return repr(self.score)

    @property
    def watched(self) -> float:
        """What the test for drift looks at."""
        return self.score


Decision = LabelDecision | MultilabelDecision | ScoreDecision
DECISIONS: Mapping[DecisionKind, type[Decision]] = {
    "single": LabelDecision,
    "several": MultilabelDecision,
    "score": ScoreDecision,
}


class LabelCalibration(Model):
    """What the calibration rows taught: logits are divided by `temperature`, and a set has the labels of at
    least the probability `set_probability`.

    By chance of the calibration rows the coverage lies within `coverage_low` and `coverage_high` 95 times of
    100. `confidences` are those of the calibration rows, sorted, at most a thousand: what an alarm for drift
    compares with."""

    kind: Literal["single"] = "single"
    rows: int
    temperature: float
    coverage: float
    coverage_low: float
    coverage_high: float
    set_probability: float
    threshold: float
    confidences: tuple[float, ...]


class MultilabelCalibration(Model):
    """p = sigmoid(slope logit + offset) of each label, its threshold, and the least probability of a set.

    `confidences` are the largest probability of each calibration row, sorted, at most a thousand."""

    kind: Literal["several"] = "several"
    rows: int
    slopes: tuple[float, ...]
    offsets: tuple[float, ...]
    thresholds: tuple[float, ...]
    coverage: float
    set_probability: float
    cost_wrong: float
    cost_missed: float
    cost_ask: float
    confidences: tuple[float, ...]


class ScoreCalibration(Model):
    """A score is mean + scale z of its logit z, and its interval score +- half_width.

    `confidences` are the scores of the calibration rows, sorted, at most a thousand."""

    kind: Literal["score"] = "score"
    rows: int
    mean: float
    scale: float
    coverage: float
    half_width: float
    cutoff: float | None
    confidences: tuple[float, ...]


Calibration = LabelCalibration | MultilabelCalibration | ScoreCalibration


class StoredDecider(Model):
    """decisions.json beside the weights: what predicts labels, and how its answers are read."""

    format: Literal["decisions-1"] = "decisions-1"
    kind: Literal["linear", "head", "text"]
    features: str = Field("", description="Of a linear model: words, an embedder's name, or both.")
    features_sha256: str = ""
    labels: tuple[str, ...]
    system_prompt: str = Field(
        "", description="Of a language model: what rows without a system turn are asked with."
    )
    calibration: Calibration


class DriftTest(Model):
    """Are confidences, or scores, those of the calibration rows? Two-sample Kolmogorov-Smirnov test."""

    rows: int
    reference_rows: int
    statistic: float
    p_value: float
    alarm: bool

    def line(self) -> str:
        """`500 answers differ from those to the calibration rows (D = 0.21, p = 1.2e-05)`."""
        found = "differ from" if self.alarm else "are like"
        return (
            f"{self.rows:,} answers {found} those to the calibration rows"
            f" (Kolmogorov-Smirnov D = {self.statistic:.2f}, p = {self.p_value:.2g})"
        )


class ThresholdPoint(Model):
    """Of the answers with at least this confidence: their share of all, and how many of them are right."""

    threshold: float
    answered: float
    accuracy: float | None


class LabelConfusion(Model):
    """How many rows that expect a label got another one."""

    expected: str
    answered: str
    count: int


class LabelSlice(Model):
    """The rows that expect a label: how many, how many of them got it, how many others did."""

    label: str
    rows: int
    right: int
    wrongly: int


class DecisionScores(Model):
    """What one system's decisions on a set are worth. Of a system without probabilities only the confusions
    and the labels are there."""

    system: str
    data: str
    rows: int
    accuracy: float
    calibration_error: float | None = None
    stated_coverage: float | None = None
    coverage: float | None = None
    set_size: float | None = None
    empty_sets: int | None = None
    unsure: int | None = None
    accuracy_when_sure: float | None = None
    threshold: float | None = None
    curve: tuple[ThresholdPoint, ...] = ()
    confusions: tuple[LabelConfusion, ...] = ()
    labels: tuple[LabelSlice, ...] = ()
    drift: DriftTest | None = None


class LabelCounts(Model):
    """Of several labels a row: how many rows expect one, how many of these got it, how many others did."""

    label: str
    rows: int
    right: int
    wrongly: int
    f1: float


class DecisionFigures(Model):
    """What one system's several labels, or scores, of a set are worth.

    `figures` of several labels: `subset_accuracy` (all labels of a row right), `micro_f1`, `macro_f1` (the
    mean over the labels that rows expect) and `calibration_error` of all probabilities; of scores: `mae` and
    `mae_of_mean` (mean absolute error, and that of the training rows' mean), `rmse`, and `spearman` where
    ranks differ. `coverage` is the share of a row's labels in its set, on average (a row without labels
    counts as covered), or the share of scores in their intervals; `size` is that of a set or an interval."""

    system: str
    data: str
    rows: int
    figures: dict[str, float]
    stated_coverage: float
    coverage: float
    size: float
    unsure: int | None
    labels: tuple[LabelCounts, ...] = ()
    drift: DriftTest | None = None
