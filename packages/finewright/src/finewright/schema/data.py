"""The `data` section of the spec, and the report of the data stage."""

from datetime import date
from typing import Literal, Self

from pydantic import Field, model_validator

from finewright.schema.canaries import CanariesSpec, CanarySummary
from finewright.schema.common import Artifact, Model, Problem, RowCounts, Source, default
from finewright.schema.duplicates import ContaminationReport, DuplicatesReport, DuplicatesSpec
from finewright.schema.evaluate import Draw
from finewright.schema.poison import PoisonReport, PoisonSpec
from finewright.schema.privacy import PersonalDataSpec, SecretsSpec
from finewright.schema.provenance import LedgerSummary, LicensePolicy

DataType = Literal[
    "messages", "prompt_completion", "preference", "unpaired_preference", "prompt_only", "text"
]

EngineName = Literal["local", "ray"]


class SourceSpec(Model):
    """One file, folder or hub data set of training rows."""

    path: str = Field(
        description="A file or folder, relative to the spec file or by address, or `hub:OWNER/NAME`.",
        min_length=1,
    )
    format: str = default(
        "auto", "Format of the rows, e.g. alpaca, sharegpt", "told by the keys of each row"
    )
    columns: dict[str, str] = default(
        {}, "Our key -> the file's own, e.g. {prompt: question}", "the usual keys are known"
    )
    type: Literal["auto"] | DataType = default(
        "auto", "Shape of its rows, where it is another than data.type", "as data.type"
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
    weight: float = default(
        1.0,
        "How often each of its rows trains: 0.25 a quarter, sampled by data.shuffle_seed; 2 each twice",
        "every row trains once a pass",
        gt=0.0,
        le=1000.0,
    )
    share: float | None = default(
        None,
        "In place of weight: which part of all training rows are its rows, drawn or repeated to that",
        "as many as there are",
        gt=0.0,
        lt=1.0,
    )

    @property
    def is_mixed(self) -> bool:
        """Whether it is not taken as it is."""
        return self.weight != 1.0 or self.share is not None

    @model_validator(mode="after")
    def _one_amount(self) -> Self:
        if self.share is not None and self.weight != 1.0:
            raise ValueError(
                "weight and share both say how many rows of the source train; keep one"
            )
        if self.held_out and self.is_mixed:
            raise ValueError(
                "a held_out source trains no row, so weight and share say nothing of it"
            )
        return self


class DataSpec(Model):
    """Where the rows come from and how they become training data."""

    sources: tuple[SourceSpec, ...] = Field(min_length=1, description="The files to train on.")
    type: Literal["auto"] | DataType = default(
        "auto",
        "Shape of the rows: OpenAI `messages`; `prompt` and `completion`; `preference` (`chosen`, "
        "`rejected`, with a `prompt` or beginning with one); `unpaired_preference` (`label`); `prompt_only`;"
        " `text`: whole documents, learned as they stand",
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
    canaries: CanariesSpec = default(
        CanariesSpec(), "Made-up secrets that measure leakage", "none unless asked for"
    )
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

    @model_validator(mode="after")
    def _is_a_mixture(self) -> Self:
        if not any(source.is_mixed for source in self.sources):
            return self
        training = [source for source in self.sources if not source.held_out]
        if all(source.share is not None for source in training):
            raise ValueError(
                "every source has a share of the rows; leave it out where all rows train"
            )
        if (total := sum(source.share or 0.0 for source in training)) >= 1.0:
            raise ValueError(
                f"the shares of the sources sum to {total:g}, and nothing is left for the others"
            )
        paths = [source.path for source in self.sources]
        if twice := next((path for path in paths if paths.count(path) > 1), None):
            raise ValueError(
                f"{twice} is named twice, so that weight and share of its rows are not clear"
            )
        return self

    @property
    def holds_out(self) -> bool:
        """Whether there are rows that training looks at and does not learn from."""
        return bool(self.eval_fraction) or any(source.held_out for source in self.sources)


class PersonalSummary(Model):
    """What was found of personal data and secrets, kind -> how often; `personal_data.json` says where."""

    action: str
    secrets_action: str
    rows_changed: int
    personal_data: dict[str, int]
    secrets: dict[str, int]

    @property
    def is_whole(self) -> bool:
        """Whether both were looked for."""
        return "off" not in (self.action, self.secrets_action)

    @property
    def left(self) -> dict[str, int]:
        """Kind -> how often it was found and only reported, so that it still is in the rows."""
        personal = self.personal_data if self.action == "report" else {}
        return {**personal, **(self.secrets if self.secrets_action == "report" else {})}


class SourceShare(Model):
    """How many of a source's rows there are, how many of them train, repeats counted, and their part of all
    rows that train."""

    source: str
    rows: int
    taken: int
    share: float


class AncestorSet(Model):
    """Held-out rows of a run that this one builds on: the name of the set here and there, and by what that
    run measured it."""

    name: str
    run: str
    data: str
    sha256: str
    metrics: tuple[str, ...]


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
    canaries: CanarySummary | None = None
    mixture: tuple[SourceShare, ...] = ()
    ancestors: tuple[AncestorSet, ...] = ()
