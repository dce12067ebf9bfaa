"""What is typed after `finewright serve`, `finewright keys` and `finewright audit`."""

import re
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field

from finewright.schema.options import CommandOptions, Flag, Overrides, argument, option
from finewright_serve.gateway.keys import KeyRole, KeyScope, Limit

Folder = Annotated[Path, Field(description="The folder of the server, as `serve.folder` names it.")]
_PROJECT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_MOST_LETTERS = 100


def _check_project(text: str) -> str:
    if text and not _PROJECT.fullmatch(text):
        what = "1 to 64 letters, digits, dots, hyphens and underscores, and begins with a letter or digit"
        raise ValueError(f"a project is {what}; not {text[:64]!r}")
    return text


def _check_name(text: str) -> str:
    if len(text) > _MOST_LETTERS or not text.isprintable():
        raise ValueError(f"a name is at most {_MOST_LETTERS} letters and signs on one line")
    return text


Project = Annotated[str, AfterValidator(_check_project)]


class ServeOptions(CommandOptions):
    """What is served, and where."""

    targets: Annotated[tuple[str, ...], argument("RUN_OR_MODEL")] = option(
        (), "Runs, base models, .gguf files, embedders, or https://HOST/v1#MODEL."
    )
    spec: Path | None = option(None, "A YAML file with `name` and `serve`.")
    overrides: Overrides = ()
    host: str = option("", "Address to listen at; default: 127.0.0.1, this machine alone.")
    port: int | None = option(None, "Port to listen at; default: 8000.", ge=0, le=65535)
    draft_model: str = option(
        "", "A smaller model of the same vocabulary that guesses ahead, of all that are named here."
    )
    new_key: KeyRole | None = option(None, "Make a key of this role, write it to stdout, and end.")
    project: Project = option(
        "",
        "Of a key that is made: whose files, jobs and tuned models it shares; default: a project of its own.",
    )


class KeysOptions(CommandOptions):
    """Whose keys."""

    folder: Folder = Path("serve")


class ApiKeyOptions(KeysOptions):
    """Which key."""

    key: Annotated[str, argument("ID")] = option(..., "The id of the key; `keys list` shows it.")


class RotateKeyOptions(ApiKeyOptions):
    """How long both secrets open the door."""

    overlap: str = option("24h", "How long the secret before still opens the door: 30m, 24h, 7d.")


class AuditOptions(CommandOptions):
    """Whose audit."""

    folder: Folder = Path("serve")


class VerifyAuditOptions(AuditOptions):
    """Which file, and who may have signed it."""

    file: Path | None = option(None, "An exported file instead of the server's own.")
    part: bool = option(
        False,
        "It is a part: its first line follows others that are not there, as where older files were moved.",
    )
    key: str = option(
        "", "The key that must have signed it; default: your own and those that you trust."
    )


class ExportAuditOptions(AuditOptions):
    """Which time, and where it goes."""

    out: Path = option(..., "The file that gets the lines.")
    since: str = option("", "From this time on, e.g. 2026-12-01 or 2026-12-01T12:30 (UTC).")
    until: str = option("", "Before this time; the lines up to the next signed head come too.")


class AuditDayOptions(AuditOptions):
    """Which day."""

    day: str = option("", "A day in UTC, e.g. 2026-12-01; default: the last 24 hours.")


class CreateKeyOptions(KeysOptions):
    """What the key may do, and how much."""

    role: KeyRole = option("user", "user asks; train also trains; admin does all.")
    name: Annotated[str, AfterValidator(_check_name)] = option("", "Whose it is, for `keys list`.")
    scope: Annotated[tuple[KeyScope, ...], Flag("--scope")] = option(
        (),
        "What it may do of what its role may; repeatable; default: answers and embeddings, for train also"
        " jobs, for admin all but logprobs.",
    )
    model: Annotated[tuple[str, ...], Flag("--model")] = option(
        (), "The models it may ask, by id, or with * for any signs; repeatable; default: all."
    )
    group: Annotated[tuple[str, ...], Flag("--group")] = option(
        (), "The groups whose documents it may see; repeatable; default: the public ones."
    )
    project: Project = option("", "Whose files, jobs and tuned models it shares; default: its own.")
    expires: str = option("", "When it ends: after 90d, or at 2027-01-31 (UTC); default: never.")
    requests_per_minute: Limit = option(None, "Requests in any 60 seconds; default: no limit.")
    requests_per_day: Limit = option(None, "Requests in any 24 hours; default: no limit.")
    tokens_per_minute: Limit = option(
        None, "Tokens, read and written, in any 60 seconds; default: no limit."
    )
    tokens_per_day: Limit = option(
        None, "Tokens, read and written, in any 24 hours; default: no limit."
    )
    answers_at_once: Limit = option(
        None, "Answers that it may be given at once; default: its fair share."
    )


class GuardBuildOptions(CommandOptions):
    """Where the weights go."""

    out: Path = option(..., "Folder for the weights and their card.")


class GuardFitOptions(CommandOptions):
    """Which harmless texts, and how many of them may be found."""

    traffic: Annotated[Path, argument("FILE")] = option(
        ..., "Rows with harmless questions: conversations, or a column of texts."
    )
    out: Path = option(..., "File for the threshold: `settings: {fitted: FILE}` of the guard.")
    column: str = option("", "The column of the texts; default: what users say in `messages`.")
    alpha: float = option(0.01, "Share of such texts that may be found at most.", gt=0, lt=0.5)
    detector: Path | None = option(None, "Folder of `guard build`; default: the weights that ship.")


class TheftOptions(CommandOptions):
    """Which harmless questions."""

    traffic: Annotated[Path, argument("FILE")] = option(
        ..., "Rows with harmless questions in the order in which they came, key after key."
    )
    out: Path = option(..., "File for what they are like: serve.theft.reference.")
    column: str = option("", "The column of the texts; default: what users say in `messages`.")


class WatermarkOptions(CommandOptions):
    """Which text, and by which server's key."""

    text: Annotated[Path, argument("FILE")] = option(..., "A text, as it was answered.")
    model: str = option(..., "The run or base model that may have written it: its tokens count.")
    folder: Folder = Path("serve")
    share: float = option(0.25, "`serve.watermark.share` of that server.", gt=0, lt=1)
