"""The `data` section of the spec, and the report of the data stage."""

from typing import Literal

from pydantic import Field

from finewright.schema.common import Artifact, Model, Problem, RowCounts, Source, default

DataType = Literal[
    "messages", "prompt_completion", "preference", "unpaired_preference", "prompt_only"
]


class SourceSpec(Model):
    """One file of training rows."""

    path: str = Field(description="A JSONL file, relative to the spec file.", min_length=1)
    license: str = default("unknown", "SPDX licence of the rows", "only the owner can say it")
    owner: str = default("unknown", "Who answers for these rows", "only the owner can say it")


class DataSpec(Model):
    """Where the rows come from and how they become training data."""

    sources: tuple[SourceSpec, ...] = Field(min_length=1, description="The files to train on.")
    type: Literal["auto"] | DataType = default(
        "auto",
        "Shape of the rows: OpenAI `messages`; `prompt` and `completion`; `preference` (`chosen`, "
        "`rejected`, with a `prompt` or beginning with one); `unpaired_preference` (`label`); `prompt_only`",
        "told by the keys of each row",
    )
    eval_fraction: float = default(
        0.0,
        "Share of the rows held out of training for the loss curve",
        "all rows train unless you ask for a held-out share",
        ge=0.0,
        le=0.5,
    )
    shuffle_seed: int = default(0, "Seed of the split", "any fixed number repeats the split")


class DataReport(Model):
    """What was read, what was kept, and where it came from."""

    counts: RowCounts
    types: dict[DataType, int]
    sources: tuple[Source, ...]
    problems: tuple[Problem, ...] = ()
    train: Artifact
    eval: Artifact | None = None
    rows_train: int
    rows_eval: int
