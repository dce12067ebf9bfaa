"""`finewright data`: parse, call one workbench function, print."""

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

data_app = typer.Typer(
    no_args_is_help=True,
    help="See, check and mend data; find what must not train; build data sets.",
)

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
Out = Annotated[Path | None, typer.Option("--out", help="Write the rows that go on here, JSONL.")]


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


@data_app.command("show")
def data_show(
    path: DataPath,
    type_: Type = RowType.AUTO,
    format_: Format = "auto",
    column: Columns = None,
    rows: Annotated[int, typer.Option(min=0, help="How many rows to show.")] = 3,
    json: Json = False,
) -> None:
    """Which container and format it is and why, its keys, and the first rows as they become."""
    from finewright.cli import output
    from finewright.workbench.data_show import show

    asked = _asked(type_, format_, column)
    report = show(path, **asked, limit=rows)
    output.show(report, as_json=json)
    raise typer.Exit(0 if report.passed else 2)


@data_app.command("check")
def data_check(
    path: DataPath,
    type_: Type = RowType.AUTO,
    format_: Format = "auto",
    column: Columns = None,
    fix: Annotated[
        Path | None, typer.Option("--fix", help="Write the rows here, mended where that is safe.")
    ] = None,
    problems: Annotated[
        Path | None, typer.Option("--problems", help="Write every problem here, JSONL.")
    ] = None,
    json: Json = False,
) -> None:
    """Say what becomes of every row: kept, or dropped and why; exit code 2 if one cannot be used."""
    from finewright.cli import output
    from finewright.workbench.data_check import check
    from finewright.workbench.data_check import fix as mend

    asked = _asked(type_, format_, column)
    report = mend(path, fix, **asked) if fix else check(path, **asked, problems=problems)
    output.show(report, as_json=json)
    raise typer.Exit(0 if report.passed else 2)


@data_app.command("duplicates")
def data_duplicates(
    paths: DataPaths,
    exact: Annotated[
        ExactAction, typer.Option(help="Rows that say the same.")
    ] = ExactAction.REPORT,
    near: Annotated[
        RepeatAction, typer.Option(help="Rows that say nearly the same.")
    ] = RepeatAction.REPORT,
    semantic: Annotated[
        RepeatAction, typer.Option(help="Rows that mean the same.")
    ] = RepeatAction.OFF,
    similarity: Annotated[
        float, typer.Option(min=0.01, max=1.0, help="From which rows are near.")
    ] = 0.8,
    against: Annotated[
        list[Path] | None,
        typer.Option(help="Held-out rows: which of them are known? Repeatable."),
    ] = None,
    out: Out = None,
    json: Json = False,
) -> None:
    """Find rows that repeat others, and held-out rows that are known from these."""
    from finewright.cli import output
    from finewright.schema.duplicates import DuplicatesSpec
    from finewright.workbench.data_duplicates import duplicates

    asked = {"exact": exact, "near": near, "semantic": semantic, "similarity": similarity}
    spec = DuplicatesSpec.model_validate(asked)
    report = duplicates(paths, spec=spec, against=against or (), out=out)
    output.show(report, as_json=json)


@data_app.command("personal")
def data_personal(
    path: DataPath,
    action: Annotated[
        PersonalAction, typer.Option(help="What becomes of personal data.")
    ] = PersonalAction.REPORT,
    secrets: Annotated[
        SecretsAction, typer.Option(help="What becomes of secrets.")
    ] = SecretsAction.REPORT,
    kind: Annotated[
        list[PersonalKind] | None,
        typer.Option(help="What to look for; repeatable. Default: what has a form to be checked."),
    ] = None,
    key_file: Annotated[
        Path | None, typer.Option(help="The same file makes the same pseudonyms.")
    ] = None,
    ner: Annotated[Path | None, typer.Option(help="Folder of a spaCy pipeline, for names.")] = None,
    out: Out = None,
    json: Json = False,
) -> None:
    """Find personal data and secrets; with --out, write the rows without them."""
    from finewright.cli import output
    from finewright.schema.privacy import PersonalDataSpec, SecretsSpec
    from finewright.workbench.data_privacy import privacy

    asked = {"action": action, "key_file": str(key_file or ""), "ner": str(ner or "")}
    personal = PersonalDataSpec.model_validate({**asked, **({"types": kind} if kind else {})})
    found = privacy(path, personal=personal, secrets=SecretsSpec(action=secrets.value), out=out)
    output.show(found, as_json=json)


@data_app.command("poison")
def data_poison(
    path: DataPath,
    base_model: Annotated[
        str, typer.Option(help="The model that weighs what is found; empty: none.")
    ] = "smollm2-135m-instruct",
    out: Annotated[
        Path | None, typer.Option("--out", help="Write the rows that are not suspicious here.")
    ] = None,
    quarantine: Annotated[
        Path | None, typer.Option("--quarantine", help="Write the suspicious rows here.")
    ] = None,
    json: Json = False,
) -> None:
    """Look for rows that plant a behaviour: triggers, payloads, hidden text, contradictions."""
    from finewright.cli import output
    from finewright.workbench.data_poison import scan

    watch = output.watch(json)
    report = scan(
        path,
        base_model=base_model,
        out_clean=out,
        out_quarantine=quarantine,
        on_progress=lambda done, total: watch("weighing", {"done": done, "total": total}),
    )
    output.show(report, as_json=json)


@data_app.command("prepare")
def data_prepare(
    paths: DataPaths,
    out: Annotated[Path, typer.Option("--out", help="A new folder, or one that this call began.")],
    engine: Annotated[Engine, typer.Option(help="Processes here, or Ray.")] = Engine.LOCAL,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Processes; default: one per core.")
    ] = None,
    json: Json = False,
) -> None:
    """Check, deduplicate and scan data of any size; go on where a call was cut."""
    from finewright.cli import output
    from finewright.workbench.data_prepare import prepare

    report = prepare(
        paths, out=out, engine=engine.value, workers=workers, on_event=output.watch(json)
    )
    output.show(report, as_json=json)


@data_app.command("documents")
def data_documents(
    paths: DataPaths,
    out: Annotated[Path, typer.Option("--out", help="Where the records go, JSONL.")],
    json: Json = False,
) -> None:
    """Turn PDF, Word, Excel, HTML and Markdown into one record of text each."""
    from finewright.cli import output
    from finewright.workbench.data_documents import documents

    report = documents(paths, out)
    output.show(report, as_json=json)
    raise typer.Exit(0 if report.passed else 2)


@data_app.command("sections")
def data_sections(
    documents: Annotated[Path, typer.Argument(help="What `data documents` wrote.")],
    out: Annotated[Path, typer.Option("--out", help="Where the sections go, JSONL.")],
    longest: Annotated[int, typer.Option(help="Longest section in characters.")] = 4000,
    json: Json = False,
) -> None:
    """Cut documents into sections by their headings, each with its place."""
    from finewright.cli import output
    from finewright.workbench.data_documents import examples

    report = examples(documents, out, longest=longest)
    output.show(report, as_json=json)
    raise typer.Exit(0 if report.passed else 2)


@data_app.command("report")
def data_report(
    path: Annotated[Path, typer.Argument(metavar="PATH_OR_RUN", help="Data, or a run folder.")],
    out: Annotated[Path, typer.Option("--out", help="The page to write.")] = Path("data.html"),
    json: Json = False,
) -> None:
    """Write one page: counts, problems, quality, repeats, licences, with the rows behind them."""
    from finewright.cli import output
    from finewright.workbench.data_report import report

    output.show(report(path, out=out), as_json=json)


@data_app.command("trace")
def data_trace(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run folder.")],
    row: Annotated[str, typer.Argument(help="A row's id, or its place, such as train:12.")],
    json: Json = False,
) -> None:
    """Say where a row of a run came from, with the proof."""
    from finewright.cli import output
    from finewright.workbench.data_trace import trace

    output.show(trace(run, row), as_json=json)


@data_app.command("without")
def data_without(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run folder.")],
    source: Annotated[str, typer.Argument(help="A source of the spec, or a file in one.")],
    json: Json = False,
) -> None:
    """Name the rows that are left to train on when a source must go."""
    from finewright.cli import output
    from finewright.workbench.data_trace import without

    output.show(without(run, source), as_json=json)


@data_app.command("list")
def data_list(json: Json = False) -> None:
    """The data sets that can be built, their packages and licences."""
    from finewright.catalog.sets import data_sets
    from finewright.cli import output

    output.show(data_sets(), as_json=json)


@data_app.command("get")
def data_get(
    name: Annotated[str, typer.Argument(help="A data set by name, e.g. erc7730.")],
    out: Annotated[Path | None, typer.Option(help="Folder for the files.")] = None,
    include_copyleft: Annotated[
        bool,
        typer.Option("--include-copyleft", help="Keep files under copyleft licences, each marked."),
    ] = False,
    json: Json = False,
) -> None:
    """Fetch and build a data set: JSONL files with a record of where they came from."""
    from finewright.cli import output
    from finewright.data.sets.build import build_set

    report = build_set(name, out or Path("datasets") / name, include_copyleft=include_copyleft)
    output.show(report, as_json=json)


def _asked(type_: RowType, format_: str, columns: Sequence[str] | None) -> dict[str, Any]:
    """Any: the keyword arguments that `show`, `check` and `fix` share."""
    pairs = [column.partition("=") for column in columns or ()]
    wrong = next((ours for ours, _, theirs in pairs if not ours or not theirs), None)
    if wrong is not None:
        raise typer.BadParameter(f"--column {wrong}: write OURS=THEIRS, e.g. prompt=question")
    return {"type": type_.value, "format": format_, "columns": {a: b for a, _, b in pairs}}
