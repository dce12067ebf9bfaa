"""The `evaluate` section of the spec, and the report of the evaluate stage."""

from pathlib import PurePath
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, field_validator, model_validator

from finewright.schema.common import Artifact, Model, Problem, default
from finewright.schema.decisions import Decision, DecisionFigures, DecisionScores


class EvalSetSpec(Model):
    """One file of held-out rows; the last assistant turn (or the completion) is the expected answer."""

    path: str = Field(
        description="A file of rows in any format, relative to the spec file.", min_length=1
    )
    name: str = default("", "Name in the score card", "the file's stem")
    format: str = default(
        "auto", "Format of the rows, e.g. alpaca, sharegpt", "told by the keys of each row"
    )
    columns: dict[str, str] = default(
        {}, "Our key -> the file's own, e.g. {prompt: question}", "the usual keys are known"
    )
    type: Literal["auto", "text"] = default(
        "auto",
        "text: its rows are documents, measured by perplexity and bits_per_byte alone",
        "told by the keys of each row",
    )
    by: str = default(
        "", "Column by whose values the rows are measured apart, a set each", "one set"
    )
    encoding: str = default(
        "", "Encoding of text that is not UTF-8, e.g. gb18030", "told by its mark"
    )
    limit: int | None = default(
        None,
        "Score so many of the rows, sampled by `evaluate.seed`; each label gets its share where answers are"
        " labels",
        "all rows",
        gt=0,
    )

    @field_validator("name")
    @classmethod
    def _names_a_file(cls, name: str) -> str:
        if name.startswith(".") or set(name) & set("/\\\0"):
            raise ValueError("must be usable as a file name: no slash, and no dot in front")
        return name

    @property
    def title(self) -> str:
        """What the set is called in reports."""
        return self.name or PurePath(self.path).stem


class Draw(Model):
    """Which of a file's rows a `limit` left: drawn by chance, `is_stratified` where every label among the
    answers got its share."""

    data: str
    rows: int
    rows_in_file: int
    seed: int
    is_stratified: bool

    def line(self) -> str:
        """`200 of 3,080 rows, drawn by seed 0, stratified by answer`."""
        how = ", stratified by answer" if self.is_stratified else ""
        return f"{self.rows:,} of {self.rows_in_file:,} rows, sampled by seed {self.seed}{how}"

    def problem(self) -> Problem:
        """The same as something that a report must say."""
        message = f"{self.data}: {self.line()}"
        return Problem(level="info", key="evaluate.data", message=message)


def check_thought_tokens(max_thought_tokens: int | None, max_new_tokens: int) -> None:
    """Raise ValueError where thoughts may use up the whole answer."""
    if max_thought_tokens is not None and max_thought_tokens >= max_new_tokens:
        raise ValueError(
            f"max_thought_tokens ({max_thought_tokens}) leaves no room for an answer:"
            f" it must be below max_new_tokens ({max_new_tokens})"
        )


OWN = "python:"
"""What the name of a metric begins with that is a function of the user's own."""


class OwnMetric(Model):
    """A metric that is a function of the user's own: `score(answer, row)` gives a number in [0, 1]."""

    function: str = Field(
        description="python:FILE:FUNCTION, relative to the spec file.",
        pattern=r"^python:.+:[A-Za-z_][A-Za-z0-9_]*$",
    )
    consent: str = default(
        "",
        "sha256 of a python file that may run, once this user has said `finewright trust add FILE`",
        "no code runs unasked",
    )

    @property
    def argument(self) -> str:
        """`FILE:FUNCTION`."""
        return self.function.removeprefix(OWN)

    @property
    def file(self) -> str:
        """The path of the file, as it is written."""
        return self.argument.rpartition(":")[0]


def _spell_own(value: Any) -> Any:  # Any: not validated yet
    is_own = isinstance(value, str) and value.startswith(OWN)
    return {"function": value} if is_own else value


Metric = Annotated[str | OwnMetric, BeforeValidator(_spell_own)]


class EvaluateSpec(Model):
    """What to measure, on which rows, against what."""

    data: tuple[EvalSetSpec, ...] = default(
        (), "Held-out files", "without one, the rows that data.eval_fraction held out"
    )
    metrics: tuple[Metric, ...] = default(
        ("exact_match", "token_f1"),
        "Scorers by name, and functions of your own: python:FILE:FUNCTION with its `consent`",
        "they suit any short answer",
        min_length=1,
    )
    compare_with: tuple[
        Literal["base", "base_with_labels", "linear", "examples", "schema"], ...
    ] = default(
        ("base", "base_with_labels", "linear", "examples", "schema"),
        "What the tuned model is measured against: its base; where the answers are labels, the base that is"
        " told them, and a linear classifier on the question's words, learned from the training rows; where"
        " the answers are JSON objects, the base after training rows as examples, and base and tuned model"
        " held to a JSON Schema",
        "a gain needs a before, and a base that was told the task; a bag of words may do as well",
    )
    json_schema: str = default(
        "",
        "A file with the JSON Schema that answers are held to, relative to the spec file",
        "inferred from the training rows where all answers are JSON objects",
    )
    max_new_tokens: int = default(256, "Longest answer in tokens", "most answers are short", gt=0)
    max_thought_tokens: int | None = default(
        None,
        "Longest thought in tokens: past it the chat template's closing mark is written, and the answer"
        " follows",
        "a thought may use all of max_new_tokens",
        gt=0,
    )
    batch_size: int = default(32, "Answers generated together", "fills the cores", gt=0)
    confidence: float = default(0.95, "Level of the intervals", "the usual", gt=0.5, lt=1.0)
    resamples: int = default(
        2000,
        "Draws for each interval and p-value",
        "steady to about 0.2 points",
        ge=100,
        le=100_000,
    )
    seed: int = default(
        0, "Seed of the resamples, and of the rows that a `limit` samples", "any fixed number"
    )

    @field_validator("data")
    @classmethod
    def _distinct_names(cls, data: tuple[EvalSetSpec, ...]) -> tuple[EvalSetSpec, ...]:
        names = [item.title for item in data]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"two files are called {name!r}; give each a `name` of its own")
        return data

    @model_validator(mode="after")
    def _leaves_room_for_an_answer(self) -> Self:
        check_thought_tokens(self.max_thought_tokens, self.max_new_tokens)
        return self

    @property
    def metric_names(self) -> tuple[str, ...]:
        """What the metrics are called in reports."""
        return tuple(each if isinstance(each, str) else each.function for each in self.metrics)

    @property
    def own_metrics(self) -> tuple[OwnMetric, ...]:
        """Those of the metrics that are functions of the user's own."""
        return tuple(each for each in self.metrics if isinstance(each, OwnMetric))

    def names(self) -> tuple[str, ...]:
        """The names of the row sets, in order."""
        return tuple(item.title for item in self.data)


LOSS_METRICS = ("perplexity", "bits_per_byte")
"""Of the loss of an expected answer or of a document: lower is better, no share of 1, no answer is asked."""
WITH_LABELS, WITH_EXAMPLES, WITH_SCHEMA = " + labels", " + examples", " + schema"
BASE, BASE_WITH_LABELS, LINEAR, TUNED = "base", "base + labels", "bag of words", "tuned"
"""The systems of a score card; in a run of several base models all but LINEAR follow the model's name."""


class Score(Model):
    """One metric of one system on one set of rows, with its interval; values are shares of 1
    except perplexity and bits_per_byte."""

    system: str
    data: str
    metric: str
    value: float
    low: float
    high: float
    n: int


class Difference(Model):
    """A paired comparison on the same rows: `system` minus `against`."""

    system: str
    against: str
    data: str
    metric: str
    value: float
    low: float
    high: float
    p_value: float
    n: int


class CallSaid(Model):
    """A tool that an answer calls."""

    name: str
    arguments: Any = Field(description="A JSON value, an object where the call is sound.")


class Sample(Model):
    """One row answered by one system.

    `answer` and `expected` are what scorers of texts compare: what is said after the thoughts or, where a
    call is due, the calls as one JSON text. `tools_undeclared` are names that were called and that no tool
    has; `fault` says what could not be read."""

    system: str
    data: str
    row: int
    prompt: str
    expected: str
    answer: str
    stopped: bool
    scores: dict[str, float]
    thoughts: str = ""
    calls: tuple[CallSaid, ...] = ()
    expected_calls: tuple[CallSaid, ...] = ()
    tools_undeclared: tuple[str, ...] = ()
    fault: str = ""
    num_tokens: int | None = None
    num_thought_tokens: int = 0
    thought_cut: bool = Field(
        False, description="Was the thought closed after `max_thought_tokens`?"
    )
    repeated: bool | None = Field(
        None, description="Is it nearly like a training row? None where nobody looked."
    )
    decision: Decision | None = Field(
        None, description="How sure a model that decides is; None of a text that was generated."
    )


class AnswerCounts(Model):
    """What a system's answers to a set are made of; thoughts in tokens, their mean over answers that think.

    `faults` are answers of which something could not be read, and `first_fault` says of the first what and
    where; `report_undeclared_calls` are calls of tools that the row does not have."""

    system: str
    data: str
    n: int
    ended: int
    thinking: int
    thought_tokens_mean: float
    thought_share: float
    thoughts_cut: int = Field(
        0, description="Thoughts that were closed after `max_thought_tokens`."
    )
    calls: int
    undeclared_calls: int
    faults: int
    first_fault: str = ""


class StrayAnswers(Model):
    """How many of a system's answers name no label at all, with Wilson's interval of the share."""

    system: str
    data: str
    count: int
    n: int
    low: float
    high: float


class LinearFit(Model):
    """What the linear classifier was learned from, and how long that took."""

    rows: int
    features: int
    labels: int
    seconds: float


class JsonRivals(Model):
    """How systems were helped to answer in JSON: the schema, where it is from, and how many training rows
    were shown as examples."""

    json_schema: str
    schema_source: str
    examples: int


class ScoredRows(Model):
    """The scores of some rows of a set: those nearly like a training row (reworded, or other values), or all
    others, the new ones. No scores where there is no such row."""

    data: str
    kind: Literal["repeated", "new"]
    rows: int
    scores: tuple[Score, ...] = ()
    differences: tuple[Difference, ...] = ()


class EvaluateReport(Model):
    """Scores, paired differences, and where the answers are; intervals are at level `confidence`.

    `draws` tells of the sets of which not all rows were asked; `strays` and `linear` are there where the
    answers are labels, `rivals` where they are JSON objects; `parts` where training and held-out rows were
    compared; `decisions` where a model of labels is among the systems, `decision_figures` where one gives
    several labels or scores."""

    confidence: float
    draws: tuple[Draw, ...] = ()
    scores: tuple[Score, ...]
    differences: tuple[Difference, ...] = ()
    strays: tuple[StrayAnswers, ...] = ()
    linear: LinearFit | None = None
    rivals: JsonRivals | None = None
    parts: tuple[ScoredRows, ...] = ()
    answers: tuple[AnswerCounts, ...] = ()
    decisions: tuple[DecisionScores, ...] = ()
    decision_figures: tuple[DecisionFigures, ...] = ()
    samples: Artifact | None = None
    problems: tuple[Problem, ...] = ()

    def headline_pairs(self, data: str, metric: str) -> tuple[tuple[str, str], ...]:
        """The (system, against) that a set's card compares by this metric: of a model that was asked in many
        ways (as it is, told the labels, after examples, held to a schema) only the best one."""
        sign = -1 if metric in LOSS_METRICS else 1
        values = {
            s.system: sign * s.value for s in self.scores if (s.data, s.metric) == (data, metric)
        }
        best: dict[tuple[str, str], str] = {}
        for found in self.differences:
            if (found.data, found.metric) == (data, metric):
                key = found.system, found.against.partition(" + ")[0]
                if key not in best or values[found.against] > values[best[key]]:
                    best[key] = found.against
        return tuple((system, against) for (system, _), against in best.items())
