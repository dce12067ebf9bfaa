"""The options that the `finewright data` commands share, and their values."""

import difflib
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from finewright.errors import DataError

_LEAST_ALIKE = 0.01

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


def one_of(option: str, kinds: type[StrEnum]) -> Any:
    """Any: `parser` and `metavar` of an option; another value is one line that names the meant one."""

    def parse(value: str) -> StrEnum:
        if value in set(kinds):
            return kinds(value)
        close = difflib.get_close_matches(value.lower(), [kind.value for kind in kinds], n=1)
        hint = f"did you mean {close[0]!r}?" if close else f"use one of: {', '.join(kinds)}"
        raise DataError(f"{option} {value}: there is no such value", hint=hint)

    return {"parser": parse, "metavar": f"<{'|'.join(kinds)}>"}


def _share(value: str | float) -> float:
    try:
        share = float(value)
    except ValueError:
        share = 0.0
    if _LEAST_ALIKE <= share <= 1:
        return share
    raise DataError(
        f"--similarity {value}: a share of the words is meant",
        hint=f"from {_LEAST_ALIKE} to 1, such as 0.8",
    )


KeyFile = Annotated[
    Path | None, typer.Option("--key-file", help="The same file makes the same pseudonyms.")
]
Similarity = Annotated[
    float,
    typer.Option(
        "--similarity",
        parser=_share,
        metavar=f"<{_LEAST_ALIKE} to 1>",
        help="From which share of their words rows are near.",
    ),
]
Type = Annotated[
    RowType, typer.Option("--type", **one_of("--type", RowType), help="Type of the rows.")
]
Exact = Annotated[
    ExactAction,
    typer.Option("--exact", **one_of("--exact", ExactAction), help="Rows that say the same."),
]
Near = Annotated[
    RepeatAction,
    typer.Option("--near", **one_of("--near", RepeatAction), help="Rows that say nearly the same."),
]
Semantic = Annotated[
    RepeatAction,
    typer.Option(
        "--semantic", **one_of("--semantic", RepeatAction), help="Rows that mean the same."
    ),
]
Personal = Annotated[
    PersonalAction,
    typer.Option(
        "--action", **one_of("--action", PersonalAction), help="What becomes of personal data."
    ),
]
Secrets = Annotated[
    SecretsAction,
    typer.Option(
        "--secrets", **one_of("--secrets", SecretsAction), help="What becomes of secrets."
    ),
]
Kinds = Annotated[
    list[PersonalKind] | None,
    typer.Option(
        "--kind",
        **one_of("--kind", PersonalKind),
        help="All that is looked for; repeatable. Default: what has a form to be checked.",
    ),
]


def asked(type_: RowType, format_: str, columns: Sequence[str] | None) -> dict[str, Any]:
    """Any: the keyword arguments that `show`, `check` and `fix` share."""
    return {"type": type_.value, "format": format_, "columns": columns_of(columns)}


def columns_of(columns: Sequence[str] | None) -> dict[str, str]:
    """Our key -> the file's own, of what `--column` says."""
    pairs = [column.partition("=") for column in columns or ()]
    wrong = next((ours for ours, _, theirs in pairs if not ours or not theirs), None)
    if wrong is not None:
        raise DataError(
            f"--column {wrong}: our key and the file's own are meant",
            hint="write OURS=THEIRS, e.g. --column prompt=question",
        )
    return {ours: theirs for ours, _, theirs in pairs}
