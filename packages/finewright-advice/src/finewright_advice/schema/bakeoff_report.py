"""What a bake-off found: the rungs of its ladder, the finalists side by side, and who won."""

from pydantic import Field

from finewright.schema.common import Model, Problem, StoredModel
from finewright.schema.cost import Range
from finewright.schema.evaluate import Difference, Score
from finewright.schema.train import OWN_BACKEND


class AnswerShare(Model):
    """So many of so many answers, with an interval of the share (Wilson)."""

    count: int
    n: int
    low: float
    high: float


class Attempt(Model):
    """A run on a rung: what it scored on the development rows, and whether the model goes on.

    `difference` is this model minus the best one of the rung, on the same rows; None for the best itself."""

    base_model: str
    run: str
    score: Score
    difference: Difference | None
    is_dropped: bool
    why: str
    steps: int
    train_seconds: float


class Rung(Model):
    """One step of the ladder: every model that was left, trained with a share of the whole budget."""

    number: int
    share: float
    attempts: tuple[Attempt, ...]


class Speed(Model):
    """Answers given one by one: milliseconds to the first token and to the end, and tokens a second after
    the first one. Percentiles are of the `answers` that were timed."""

    answers: int
    first_token_ms_p50: float
    first_token_ms_p95: float
    answer_ms_p50: float
    answer_ms_p95: float
    answer_ms_mean: float
    answer_ms: tuple[float, ...]
    tokens_per_answer: float
    tokens_per_second: float
    cores_others_used: float = 0.0
    """How many cores other processes kept busy meanwhile; 0 in reports older than the field."""


class AnswerBehaviour(Model):
    """How answers behave, whatever they score.

    `ended` by themselves before max_new_tokens; `looped`: the end repeats itself; `other_script` and
    `other_language`: in one that nobody asked for (`other_language` None where nobody could look);
    `valid_json` of the rows that expect JSON, None where none does; `no_label` of the rows whose answers are
    labels, None where they are not."""

    ended: AnswerShare
    looped: AnswerShare
    other_script: AnswerShare
    other_language: AnswerShare | None
    valid_json: AnswerShare | None
    no_label: AnswerShare | None = None
    strays: tuple[str, ...] = ()
    """A few of the answers that drifted, each with its row and what is odd about it."""


class Finalist(StoredModel):
    """A model that reached the last rung: its scores on the held-out rows and what it takes to use it.

    It is asked with its own chat template, which closes a turn with `end_of_turn`. `gain` is it minus its own
    untuned base, by the metric that decides; None where the spec compares with no base. Where the answers are
    labels, that base also saw them (`knows_labels`) if it does better so. `repeated_rows` and `new_rows`
    are its scores, by that metric, on held-out rows that are nearly like a training row, and on the
    others; None where there is no such row. `usd` is a training
    run on the cheapest machine of the catalog that fits; None where none is known. Where frameworks compete,
    `base_model` names the one that trained it too, and the losses are those of its first and last step."""

    base_model: str
    backend: str = OWN_BACKEND
    first_loss: float | None = None
    final_loss: float | None = None
    run: str
    parameters: int
    license: str
    license_classes: tuple[str, ...]
    end_of_turn: str
    scores: tuple[Score, ...]
    untuned: tuple[Score, ...]
    gain: Difference | None
    knows_labels: bool = Field(default=False, alias="told_labels")
    repeated_rows: Score | None = None
    new_rows: Score | None = None
    train_seconds: float
    train_tokens_per_second: float
    peak_gib: float
    usd: Range | None
    usd_on: str
    speed: Speed
    behaviour: AnswerBehaviour = Field(alias="conduct")


class Duel(Model):
    """The best finalist against another one on the same held-out rows; `p_adjusted` is Holm's."""

    difference: Difference
    p_adjusted: float
    is_significant: bool


class BakeoffReport(Model):
    """Who competed, who was dropped when, and the leaderboard of those who were not, best first.

    `winner` is empty where the held-out rows cannot tell the best ones apart; `choice` is then the one that
    takes the least time an answer. `frontier` are those that no other beats in both score and time.
    `linear` is the best minus a bag of words, a classifier without a language model; None where answers are
    no labels."""

    name: str
    folder: str
    metric: str
    confidence: float
    rows_train: int
    rows_development: int
    rows_held_out: int
    rungs: tuple[Rung, ...]
    finalists: tuple[Finalist, ...]
    duels: tuple[Duel, ...]
    linear: Difference | None = None
    linear_score: Score | None = None
    frontier: tuple[str, ...]
    winner: str
    choice: str
    verdict: str
    problems: tuple[Problem, ...] = ()
