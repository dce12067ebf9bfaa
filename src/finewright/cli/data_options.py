"""The options that the `finewright data` commands share, and their values."""

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
DataPath = Annotated[
    Path, typer.Argument(metavar="PATH", help="A file, a folder, or hub:OWNER/NAME.")
]
DataPaths = Annotated[
    list[Path], typer.Argument(metavar="PATH...", help="Files, folders, or hub:OWNER/NAME.")
]
Format = Annotated[str, typer.Option("--format", help="Format of the rows, e.g. alpaca.")]
Columns = Annotated[
    list[str] | None,
    typer.Option("--column", metavar="OURS=THEIRS", help="e.g. prompt=question; repeatable."),
]
Out = Annotated[
    Path | None,
    typer.Option("--out", help="Write the rows that go on to this new file, JSONL."),
]
KeyFile = Annotated[Path | None, typer.Option(help="The same file makes the same pseudonyms.")]
Similarity = Annotated[float, typer.Option(min=0.01, max=1.0, help="From which rows are near.")]


class RowType(StrEnum):
    """A type of rows, or whichever each has."""

    AUTO = "auto"
    MESSAGES = "messages"
    PROMPT_COMPLETION = "prompt_completion"
    PREFERENCE = "preference"
    UNPAIRED_PREFERENCE = "unpaired_preference"
    PROMPT_ONLY = "prompt_only"


class PersonalKind(StrEnum):
    """A kind of personal data."""

    NAME = "name"
    EMAIL = "email"
    PHONE = "phone"
    ADDRESS = "address"
    IBAN = "iban"
    CARD = "card"
    NATIONAL_ID = "national_id"
    DATE_OF_BIRTH = "date_of_birth"
    IP = "ip"
    URL = "url"
    CRYPTO_ADDRESS = "crypto_address"


class PersonalAction(StrEnum):
    """What becomes of personal data."""

    OFF = "off"
    REPORT = "report"
    REDACT = "redact"
    PSEUDONYMISE = "pseudonymise"
    DROP = "drop"


class SecretsAction(StrEnum):
    """What becomes of secrets."""

    OFF = "off"
    REPORT = "report"
    REDACT = "redact"
    DROP = "drop"


class RepeatAction(StrEnum):
    """What becomes of repeats."""

    OFF = "off"
    REPORT = "report"
    DROP = "drop"


class ExactAction(StrEnum):
    """What becomes of rows that say the same."""

    REPORT = "report"
    DROP = "drop"


class Engine(StrEnum):
    """Where the work runs."""

    LOCAL = "local"
    RAY = "ray"


Type = Annotated[RowType, typer.Option("--type", help="Type of the rows.")]

Exact = Annotated[ExactAction, typer.Option("--exact", help="Rows that say the same.")]
Near = Annotated[RepeatAction, typer.Option("--near", help="Rows that say nearly the same.")]
Personal = Annotated[
    PersonalAction, typer.Option("--action", help="What becomes of personal data.")
]
Secrets = Annotated[SecretsAction, typer.Option("--secrets", help="What becomes of secrets.")]
Kinds = Annotated[
    list[PersonalKind] | None,
    typer.Option(
        "--kind",
        help="All that is looked for; repeatable. Default: what has a form to be checked.",
    ),
]


def asked(type_: RowType, format_: str, columns: Sequence[str] | None) -> dict[str, Any]:
    """Any: the keyword arguments that `show`, `check` and `fix` share."""
    pairs = [column.partition("=") for column in columns or ()]
    wrong = next((ours for ours, _, theirs in pairs if not ours or not theirs), None)
    if wrong is not None:
        raise typer.BadParameter(f"--column {wrong}: write OURS=THEIRS, e.g. prompt=question")
    return {"type": type_.value, "format": format_, "columns": {a: b for a, _, b in pairs}}
