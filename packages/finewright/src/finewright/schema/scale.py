"""What `data prepare` made of large files."""

from typing import Literal

from finewright.schema.common import Artifact, Model, Problem, Source, default, errors_of
from finewright.schema.data import DataType
from finewright.schema.data_check import FoundRows
from finewright.schema.duplicates import DuplicateKind, DuplicateRow, DuplicatesSpec
from finewright.schema.privacy import FoundType, PersonalDataSpec, SecretsSpec


class PrepareSpec(Model):
    """What is done with every row of the files; rows that mean the same are not looked for."""

    type: Literal["auto"] | DataType = default(
        "auto", "Shape of the rows", "told by the keys of each row"
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
    duplicates: DuplicatesSpec = default(
        DuplicatesSpec(exact="drop"),
        "Repeated rows",
        "one of each is enough to learn it; near ones may be meant, and are said",
    )
    personal_data: PersonalDataSpec = default(
        PersonalDataSpec(), "Personal data in the rows", "what is found is said"
    )
    secrets: SecretsSpec = default(SecretsSpec(), "Secrets in the rows", "what is found is said")


class FoundCount(Model):
    """How often something was found, in how many rows, and where first: the file, and the row in it."""

    spans: int
    rows: int
    file: str
    row: int
    retyped: int = 0


class PrepareReport(Model):
    """Rows in = rows kept + rows dropped, each under one reason.

    `files` are `rows.jsonl` (the rows that go on), `rejected.jsonl` (the others, each with its reason) and
    `findings.jsonl` (where personal data and secrets are, without their values), in the folder. `findings`
    name every row that a warning about texts is of. `plan` is the digest of what was asked of which bytes."""

    rows_in: int
    rows_kept: int
    rows_changed: int
    rows_dropped: dict[str, int]
    types: dict[DataType, int]
    sources: tuple[Source, ...]
    duplicates: dict[DuplicateKind, int]
    examples: tuple[DuplicateRow, ...]
    found: dict[FoundType, FoundCount]
    problems: tuple[Problem, ...] = ()
    findings: tuple[FoundRows, ...] = ()
    files: tuple[Artifact, ...]
    plan: str

    @property
    def passed(self) -> bool:
        """Could every row be looked at, and is one left? What was found does not stop it."""
        return self.rows_kept > 0 and not errors_of(self.problems)
