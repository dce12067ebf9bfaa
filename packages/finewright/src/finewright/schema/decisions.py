"""Decisions: a label with its probability, the set that holds the right one as often as stated, and whether
a person should be asked."""

from typing import Literal

from pydantic import Field

from finewright.schema.common import Model, default

WORDS_FILE = "words.json"
"""Where a linear model on words keeps those that at least two of its training rows have."""


class DecisionSpec(Model):
    """How a model of labels is calibrated, and when it had better ask a person."""

    calibration: float = default(
        0.1,
        "Share of the training rows that train nothing: they calibrate the probabilities and the sets",
        "enough for steady sets from a few hundred rows on, and little is lost for training",
        gt=0.0,
        lt=1.0,
    )
    coverage: float = default(
        0.9, "How often the set of labels holds the right one", "the usual", gt=0.5, lt=1.0
    )
    cost_wrong: float = default(
        2.0,
        "Cost of a wrong label, in the unit of cost_ask",
        "with cost_ask 1 unsure means: the label is less likely than not",
        gt=0.0,
    )
    cost_ask: float = default(1.0, "Cost of asking a person", "the unit of both costs", gt=0.0)

    @property
    def threshold(self) -> float:
        """The probability below which asking costs less than answering: 1 - cost_ask / cost_wrong (Chow 1970,
        On optimum recognition error and reject tradeoff)."""
        return max(0.0, 1.0 - self.cost_ask / self.cost_wrong)


class LabelDecision(Model):
    """A label and how sure it is. `set` are the labels, likeliest first, that hold the right one as often as
    stated; it is empty where no label is likely enough for that. `unsure`: asking a person costs less."""

    label: str
    confidence: float
    set: tuple[str, ...]
    unsure: bool


class LabelCalibration(Model):
    """What the calibration rows taught: logits are divided by `temperature`, and a set has the labels of at
    least the probability `set_probability`.

    By chance of the calibration rows the coverage lies within `coverage_low` and `coverage_high` 95 times of
    100. `confidences` are those of the calibration rows, sorted, at most a thousand: what an alarm for drift
    compares with."""

    rows: int
    temperature: float
    coverage: float
    coverage_low: float
    coverage_high: float
    set_probability: float
    threshold: float
    confidences: tuple[float, ...]


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
    calibration: LabelCalibration


class DriftTest(Model):
    """Are the confidences those of the calibration rows? Two-sample Kolmogorov-Smirnov test."""

    rows: int
    reference_rows: int
    statistic: float
    p_value: float
    alarm: bool

    def line(self) -> str:
        """`confidences differ from those of the calibration rows (D = 0.21, p = 1.2e-05)`."""
        found = "differ from" if self.alarm else "are like"
        return (
            f"the confidences of {self.rows:,} answers {found} those of the calibration rows"
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
