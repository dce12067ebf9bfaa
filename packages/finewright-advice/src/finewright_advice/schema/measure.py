"""The `measure` section of the spec: which ways of adapting one model are compared, and how."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from finewright.schema.common import Model, default
from finewright_advice.schema.money import OwnHardware

Arm = Literal["0-shot", "k-shot", "gepa", "rag", "ft", "rag+ft"]
ARMS: tuple[Arm, ...] = ("0-shot", "k-shot", "gepa", "rag", "ft", "rag+ft")
GEPA: Arm = "gepa"
WITH_ONE_MODEL: tuple[Arm, ...] = tuple(arm for arm in ARMS if arm != GEPA)
WITH_PASSAGES: frozenset[Arm] = frozenset({"rag", "rag+ft"})
TUNED: frozenset[Arm] = frozenset({"ft", "rag+ft"})

_Share = Annotated[float, Field(gt=0.0, lt=1.0)]


class Solved(Model):
    """When a request counts as solved: a metric of `evaluate.metrics` is at least so high."""

    metric: str = default("", "One of evaluate.metrics", "the first of evaluate.metrics")
    at_least: float = default(1.0, "The least score that counts", "wholly right", gt=0.0, le=1.0)


class RaftArmSpec(Model):
    """How the rows of `rag+ft` are made: the training rows with passages of the index (RAFT)."""

    gold_share: float = default(
        0.8,
        "Share of the rows whose right passage is among theirs",
        "Zhang et al. 2024: without it in some, answers are learned too",
        ge=0.0,
        le=1.0,
    )
    unanswerable_share: float = default(
        0.1,
        "Share of rows without the right passage that learn to say so",
        "a model that never saw one never abstains",
        ge=0.0,
        le=0.5,
    )


class GepaArmSpec(Model):
    """How the instructions of `gepa` are found (Agrawal et al. 2025)."""

    by: str = default(
        "",
        "The model that rewrites instructions: a run, a base model or https://HOST/v1#MODEL",
        "a better one than the base; nobody else can name it",
    )
    answers: int = default(
        400,
        "Answers of the base model that the search may take, on training and development rows",
        "room for 8 rewrites that improve, beside 40 development rows",
        ge=1,
    )


class MeasureSpec(Model):
    """One base model, the same held-out rows, and the arms that answer them.

    Every training is one run of `train` as it stands in the spec: its `epochs` or `max_steps` are the budget
    of each. The documents and the number of passages a prompt are those of `rag`."""

    arms: tuple[Arm, ...] = default(
        WITH_ONE_MODEL,
        "What is compared",
        "all that can be done with one model; `gepa` takes a second one",
        min_length=2,
    )
    solved: Solved = default(Solved(), "When a request is solved", "the first metric is 1")
    shots: tuple[Annotated[int, Field(ge=1, le=64)], ...] = default(
        (1, 4),
        "Numbers of examples that `k-shot` is tried with; the best on the development rows is asked",
        "few fit a small model's window",
        min_length=1,
    )
    dev_rows: int = default(
        40,
        "Training rows kept apart to choose examples and instructions by",
        "tells big gains",
        ge=1,
    )
    gepa: GepaArmSpec = default(GepaArmSpec(), "How `gepa` searches", "as its authors did")
    raft: RaftArmSpec = default(RaftArmSpec(), "How `rag+ft` is trained", "as its authors did")
    curve: tuple[_Share, ...] = default(
        (0.25, 0.5),
        "Shares of the training rows that are trained on beside all of them, for the learning curve",
        "shows whether more rows are worth their labelling",
    )
    curve_of: Literal["ft", "rag+ft"] = default(
        "ft", "The option whose learning curve it is", "its rows are the shorter ones"
    )
    latency_rows: int = default(
        20,
        "Held-out rows that each option answers one at a time, by the clock",
        "steadies a median",
        ge=1,
    )
    facts: int = default(
        20,
        "Facts of training rows that are changed in the documents after training, and as many that are not; "
        "0 leaves the probe out",
        "shows who follows",
        ge=0,
    )
    unanswerable: int = default(
        30,
        "Held-out questions asked again without the documents that answer them; 0 leaves the probe out",
        "shows who invents",
        ge=0,
    )
    general: str = default(
        "",
        "JSONL of general questions with answers, asked before and after training",
        "60 questions of general knowledge come with finewright",
    )
    hardware: OwnHardware | None = default(
        None,
        "What the machine that is measured costs",
        "without it, an answer costs seconds of this machine and no money",
    )
    api_model: str = default(
        "", "Model of an API whose prices the same tokens are reckoned with", "no API is asked"
    )
    requests: int = default(
        100_000, "Requests over which a training is paid off", "a year of 270 a day", ge=1
    )
    alpha: float = default(
        0.05,
        "Level of the tests between options, after Holm's correction",
        "the usual",
        gt=0,
        lt=0.5,
    )
    seed: int = default(0, "Seed of every choice of rows, examples and facts", "any fixed number")

    @model_validator(mode="after")
    def _sensible(self) -> Self:
        if len(set(self.arms)) != len(self.arms):
            raise ValueError("an option is named twice; name it once")
        if list(self.curve) != sorted(set(self.curve)):
            raise ValueError(f"curve {list(self.curve)} must rise, each share once")
        return self

    @property
    def ordered(self) -> tuple[Arm, ...]:
        """The arms, the cheapest to set up first."""
        return tuple(arm for arm in ARMS if arm in self.arms)
