"""What the commands of `finewright data` can be given."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self, TypeAlias

from pydantic import Field, model_validator

from finewright.schema.data import DataType, EngineName
from finewright.schema.options import (
    Columns,
    CommandOptions,
    Encoding,
    Flag,
    RowFormat,
    RunPath,
    argument,
    option,
)
from finewright.schema.privacy import PersonalType

if TYPE_CHECKING:
    from finewright.rows.fates import ReadOptions

Choice: TypeAlias = Literal["off", "report", "drop"]
DataPath: TypeAlias = Annotated[
    Path, argument("PATH"), Field(description="A file, a folder, or hub:OWNER/NAME.")
]
DataPaths: TypeAlias = Annotated[
    tuple[Path, ...],
    argument("PATH..."),
    Field(description="Files, folders, or hub:OWNER/NAME."),
]
NewRows: TypeAlias = Annotated[
    Path | None, Field(description="Write the rows that go on to this new file, JSONL.")
]
Exact: TypeAlias = Annotated[
    Literal["report", "drop"], Field(description="Rows that say the same.")
]
Near: TypeAlias = Annotated[Choice, Field(description="Rows that say nearly the same.")]
Similarity: TypeAlias = Annotated[
    float, Field(ge=0.01, le=1, description="From which share of their words rows are near.")
]
Personal: TypeAlias = Annotated[
    Literal["off", "report", "redact", "pseudonymise", "drop"],
    Field(description="What becomes of personal data."),
]
Secrets: TypeAlias = Annotated[
    Literal["off", "report", "redact", "drop"], Field(description="What becomes of secrets.")
]
PersonalKinds: TypeAlias = Annotated[
    tuple[PersonalType, ...],
    Flag("--kind"),
    Field(
        description="All that is looked for; repeatable. Default: what has a form to be checked."
    ),
]
KeyFile: TypeAlias = Annotated[
    Path | None, Field(description="The same file makes the same pseudonyms.")
]


class RowOptions(CommandOptions):
    """How rows are read, where their own keys do not tell."""

    type: Literal["auto"] | DataType = option("auto", "Type of the rows.")
    format: RowFormat = "auto"
    columns: Columns = Field(default_factory=dict)
    messages: str = option("", "Where each row's turns lie: conversation[].{system,input,output}.")
    encoding: Encoding = ""

    def reading(self) -> dict[str, Any]:
        """Any: how rows are read, by name; `--messages X` is `--column messages=X`."""
        columns = {**self.columns, "messages": self.messages} if self.messages else self.columns
        given = {name: getattr(self, name) for name in ("type", "format", "encoding")}
        return {**given, "columns": columns}

    def read_options(self) -> "ReadOptions":
        """The same, checked."""
        from finewright.features.data.rows import read_options

        return read_options(**self.reading())


class ShowOptions(RowOptions):
    """What is shown."""

    path: DataPath
    rows: int = option(3, "How many rows to show.", ge=0)


class CheckOptions(RowOptions):
    """What is checked, and where the mended rows or the problems go."""

    path: DataPath
    fix: Path | None = option(None, "Write the rows to this new file, fixed.")
    by_type: bool = option(False, "With --fix: a file for each type of row, NAME.TYPE.jsonl.")
    problems: Path | None = option(None, "Write every problem to this new file.")

    @model_validator(mode="after")
    def _splits_what_is_written(self) -> Self:
        if self.by_type and not self.fix:
            raise ValueError("--by-type is for --fix, which is not given")
        return self


class DuplicatesOptions(RowOptions):
    """Which repeats are looked for, and what becomes of them."""

    paths: DataPaths
    exact: Exact = "report"
    near: Near = "report"
    similarity: Similarity = 0.8
    against: tuple[Path, ...] = option((), "Held-out rows: which of them are known? Repeatable.")
    fail_on: Literal["nothing", "leak"] = option(
        "nothing", "With --against: exit code 2 where a held-out row is known."
    )
    out: NewRows = None


class PersonalOptions(RowOptions):
    """What is looked for, and what becomes of it."""

    path: DataPath
    action: Personal = "report"
    secrets: Secrets = "report"
    kinds: PersonalKinds = ()
    key_file: KeyFile = None
    ner: Path | None = option(None, "Folder of a spaCy pipeline, for names.")
    out: NewRows = None


class PrepareOptions(RowOptions):
    """Where the work runs, and what becomes of repeats, personal data and secrets."""

    paths: DataPaths
    out: Path = option(..., "A new folder, or one that this call began.")
    engine: EngineName = option("local", "Processes here, or Ray.")
    workers: int | None = option(None, "Processes; default: one per core.", ge=1)
    exact: Exact = "drop"
    near: Near = "report"
    similarity: Similarity = 0.8
    action: Personal = "report"
    secrets: Secrets = "report"
    kinds: PersonalKinds = ()
    key_file: KeyFile = None


class DocumentsOptions(CommandOptions):
    """Which documents, and where their text goes."""

    paths: DataPaths
    out: Path = option(..., "Where the records go, JSONL.")


class SectionsOptions(CommandOptions):
    """Which documents, and how long a section may be."""

    documents: Annotated[Path, argument("DOCUMENTS")] = option(..., "What `data documents` wrote.")
    out: Path = option(..., "Where the sections go, JSONL.")
    longest: int = option(4000, "Longest section in characters.")


class ReportOptions(RowOptions):
    """What the page is about, and where it goes."""

    path: Annotated[Path, argument("PATH_OR_RUN")] = option(..., "Data, or a run folder.")
    out: Path = option(Path("data.html"), "The page to write.")


class TraceOptions(CommandOptions):
    """A row of a run."""

    run: RunPath
    row: Annotated[str, argument("ROW")] = option(
        ..., "A row's id, or its place, such as train:12."
    )


class WithoutOptions(CommandOptions):
    """A source or rows of a run."""

    run: RunPath
    source: Annotated[str, argument("SOURCE")] = option(
        ..., "A source of the spec, a file in one, or ids of rows with commas between."
    )


class GetOptions(CommandOptions):
    """Which set, and where it goes."""

    name: Annotated[str, argument("NAME")] = option(..., "A data set by name, e.g. erc7730.")
    out: Path | None = option(None, "Folder for the files.")
    include_copyleft: bool = option(False, "Keep files under copyleft licences, each marked.")
