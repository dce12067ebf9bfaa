"""The `data` section of the spec, and the report of the data stage."""

from datetime import date
from typing import Literal, Self

from pydantic import Field, model_validator

from finewright.schema.common import Artifact, Model, Problem, RowCounts, Source, default
from finewright.schema.duplicates import ContaminationReport, DuplicatesReport, DuplicatesSpec
from finewright.schema.evaluate import Draw
from finewright.schema.poison import PoisonReport, PoisonSpec
from finewright.schema.privacy import PersonalDataSpec, SecretsSpec
from finewright.schema.provenance import LedgerSummary, LicensePolicy

DataType = Literal[
    "messages", "prompt_completion", "preference", "unpaired_preference", "prompt_only"
]

EngineName = Literal["local", "ray"]


class SourceSpec(Model):
    """One file, folder or hub data set of training rows."""

    path: str = Field(
        description="A file or folder, relative to the spec file, or `hub:OWNER/NAME`.",
        min_length=1,
    )
    format: str = default(
        "auto", "Format of the rows, e.g. alpaca, sharegpt", "told by the keys of each row"
    )
    columns: dict[str, str] = default(
        {}, "Our key -> the file's own, e.g. {prompt: question}", "the usual keys are known"
    )
    encoding: str = default(
        "", "Encoding of text that is not UTF-8, e.g. gb18030", "told by its mark"
    )
    license: str = default("unknown", "SPDX licence of the rows", "only the owner can say it")
    owner: str = default("unknown", "Who answers for these rows", "only the owner can say it")
    collected_at: date | None = default(
        None, "When the rows were collected", "only the owner can say it"
    )
    synthetic_by: str = default(
        "", "The model or program that wrote the rows", "empty: people wrote them, or it is unknown"
    )
    held_out: bool = default(
        False,
        "Train on none of these rows; they are held out for the loss curve",
        "rows are there to train on",
    )


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
    group_by: str = default(
        "", "Column whose rows stay on one side of the split", "rows are told apart by content"
    )
    duplicates: DuplicatesSpec = default(DuplicatesSpec(), "Repeated rows", "repeats are said")
    personal_data: PersonalDataSpec = default(
        PersonalDataSpec(), "Personal data in the rows", "what is found is said"
    )
    secrets: SecretsSpec = default(SecretsSpec(), "Secrets in the rows", "what is found is said")
    poison: PoisonSpec = default(PoisonSpec(), "Planted behaviour", "asked for by its owner")
    licenses: LicensePolicy = default(
        LicensePolicy(), "Which licences may train", "any, unless named"
    )
    engine: EngineName = default(
        "local",
        "Who reads and checks the rows: this process, or the machines of a Ray cluster (`RAY_ADDRESS`, else "
        "this machine's processors); the result is the same",
        "most data sets are read in seconds",
    )

    @model_validator(mode="after")
    def _is_any_to_train_on(self) -> Self:
        if all(source.held_out for source in self.sources):
            raise ValueError("every source is `held_out: true`, so that no row would train")
        return self

    @property
    def holds_out(self) -> bool:
        """Are there rows that training looks at and does not learn from?"""
        return bool(self.eval_fraction) or any(source.held_out for source in self.sources)


class PersonalSummary(Model):
    """What was found of personal data and secrets, kind -> how often; `personal_data.json` says where."""

    action: str
    secrets_action: str
    rows_changed: int
    personal_data: dict[str, int]
    secrets: dict[str, int]


class DataReport(Model):
    """What was read, what was kept, and where it came from. A part is None where nobody looked."""

    counts: RowCounts
    types: dict[DataType, int]
    sources: tuple[Source, ...]
    problems: tuple[Problem, ...] = ()
    train: Artifact
    eval: Artifact | None = None
    rows_train: int
    rows_eval: int
    ledger: LedgerSummary | None = None
    duplicates: DuplicatesReport | None = None
    contamination: tuple[ContaminationReport, ...] = ()
    draws: tuple[Draw, ...] = ()
    personal_data: PersonalSummary | None = None
    poison: PoisonReport | None = None
