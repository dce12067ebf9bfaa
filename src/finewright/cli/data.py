"""`finewright data`: parse, call one workbench function, print."""

from pathlib import Path
from typing import Annotated

import typer

from finewright.cli.data_options import (
    Columns,
    DataPath,
    DataPaths,
    Engine,
    Exact,
    ExactAction,
    Format,
    Json,
    KeyFile,
    Kinds,
    Near,
    Out,
    Personal,
    PersonalAction,
    RepeatAction,
    RowType,
    Secrets,
    SecretsAction,
    Semantic,
    Similarity,
    Type,
    asked,
)

data_app = typer.Typer(
    no_args_is_help=True,
    help="See, check and mend data; find what must not train; build data sets.",
)


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
    from finewright.features.data.show import show

    report = show(path, **asked(type_, format_, column), limit=rows)
    output.show(report, as_json=json)
    raise typer.Exit(0 if report.passed else 2)


@data_app.command("check")
def data_check(
    path: DataPath,
    type_: Type = RowType.AUTO,
    format_: Format = "auto",
    column: Columns = None,
    fix: Annotated[
        Path | None, typer.Option("--fix", help="Write the rows to this new file, mended.")
    ] = None,
    encoding: Annotated[
        str, typer.Option("--encoding", help="With --fix: what the file is in, e.g. cp1252.")
    ] = "",
    problems: Annotated[
        Path | None, typer.Option("--problems", help="Write every problem to this new file.")
    ] = None,
    json: Json = False,
) -> None:
    """Say what becomes of every row: kept, or dropped and why; exit code 2 if one cannot be used."""
    from finewright.cli import output
    from finewright.features.data.check import check
    from finewright.features.data.check import fix as mend

    if fix and problems:
        raise typer.BadParameter("--fix and --problems do not go together: run one, then the other")
    if encoding and not fix:
        raise typer.BadParameter("--encoding is for --fix, which is not given")
    rows = asked(type_, format_, column)
    if fix:
        output.show(mended := mend(path, fix, **rows, encoding=encoding), as_json=json)
        raise typer.Exit(0 if mended.passed else 2)
    report = check(path, **rows, problems=problems)
    output.show(report, as_json=json)
    raise typer.Exit(0 if report.passed else 2)


@data_app.command("duplicates")
def data_duplicates(
    paths: DataPaths,
    exact: Exact = ExactAction.REPORT,
    near: Near = RepeatAction.REPORT,
    semantic: Semantic = RepeatAction.OFF,
    similarity: Similarity = 0.8,
    against: Annotated[
        list[Path] | None,
        typer.Option(help="Held-out rows: which of them are known? Repeatable."),
    ] = None,
    type_: Type = RowType.AUTO,
    format_: Format = "auto",
    column: Columns = None,
    out: Out = None,
    json: Json = False,
) -> None:
    """Find repeated rows, and held-out rows that are known; exit code 2 if one cannot be compared."""
    from finewright.cli import output
    from finewright.features.data.duplicates import duplicates
    from finewright.features.data.rows import asked_for
    from finewright.schema.duplicates import DuplicatesSpec

    kinds = {"exact": exact, "near": near, "semantic": semantic, "similarity": similarity}
    spec, rows = DuplicatesSpec.model_validate(kinds), asked_for(**asked(type_, format_, column))
    report = duplicates(paths, spec=spec, against=against or (), out=out, asked=rows)
    output.show(report, as_json=json)
    raise typer.Exit(0 if report.passed else 2)


@data_app.command("personal")
def data_personal(
    path: DataPath,
    action: Personal = PersonalAction.REPORT,
    secrets: Secrets = SecretsAction.REPORT,
    kind: Kinds = None,
    key_file: KeyFile = None,
    ner: Annotated[Path | None, typer.Option(help="Folder of a spaCy pipeline, for names.")] = None,
    type_: Type = RowType.AUTO,
    format_: Format = "auto",
    column: Columns = None,
    out: Out = None,
    json: Json = False,
) -> None:
    """Find personal data and secrets, or write rows without; exit code 2 if a row is not looked at."""
    from finewright.cli import output
    from finewright.features.data.privacy import personal_spec, privacy
    from finewright.features.data.rows import asked_for
    from finewright.schema.privacy import SecretsSpec

    personal = personal_spec(action, kind, key_file, ner)
    rows = asked_for(**asked(type_, format_, column))
    hidden = SecretsSpec(action=secrets.value)
    report = privacy(path, personal=personal, secrets=hidden, out=out, asked=rows)
    output.show(report, as_json=json)
    raise typer.Exit(0 if report.passed else 2)


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
    type_: Type = RowType.AUTO,
    format_: Format = "auto",
    column: Columns = None,
    json: Json = False,
) -> None:
    """Look for rows that plant a behaviour; exit code 2 if one cannot be looked at."""
    from finewright.cli import output
    from finewright.features.data.poison import scan
    from finewright.features.data.rows import asked_for

    watch = output.watch(json)
    report = scan(
        path,
        base_model=base_model,
        out_clean=out,
        out_quarantine=quarantine,
        asked=asked_for(**asked(type_, format_, column)),
        on_progress=lambda done, total: watch("weighing", {"done": done, "total": total}),
    )
    output.show(report, as_json=json)
    raise typer.Exit(0 if report.passed else 2)


@data_app.command("prepare")
def data_prepare(
    paths: DataPaths,
    out: Annotated[Path, typer.Option("--out", help="A new folder, or one that this call began.")],
    engine: Annotated[Engine, typer.Option(help="Processes here, or Ray.")] = Engine.LOCAL,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Processes; default: one per core.")
    ] = None,
    exact: Exact = ExactAction.DROP,
    near: Near = RepeatAction.DROP,
    similarity: Similarity = 0.8,
    action: Personal = PersonalAction.REPORT,
    secrets: Secrets = SecretsAction.REPORT,
    kind: Kinds = None,
    key_file: KeyFile = None,
    type_: Type = RowType.AUTO,
    format_: Format = "auto",
    column: Columns = None,
    json: Json = False,
) -> None:
    """Check, deduplicate and scan data of any size; exit code 2 if a row is not looked at.

    A call that was cut goes on where it was."""
    from finewright.cli import output
    from finewright.features.data.prepare import prepare
    from finewright.features.data.privacy import personal_spec
    from finewright.schema.scale import PrepareSpec

    repeats = {"exact": exact, "near": near, "similarity": similarity}
    personal = personal_spec(action, kind, key_file)
    told = {"duplicates": repeats, "personal_data": personal, "secrets": {"action": secrets}}
    spec = PrepareSpec.model_validate({**told, **asked(type_, format_, column)})
    report = prepare(
        paths, out=out, spec=spec, engine=engine.value, workers=workers, on_event=output.watch(json)
    )
    output.show(report, as_json=json)
    raise typer.Exit(0 if report.passed else 2)


@data_app.command("documents")
def data_documents(
    paths: DataPaths,
    out: Annotated[Path, typer.Option("--out", help="Where the records go, JSONL.")],
    json: Json = False,
) -> None:
    """Turn PDF, Word, Excel, HTML and Markdown into one record of text each."""
    from finewright.cli import output
    from finewright.features.data.documents import documents

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
    from finewright.features.data.documents import examples

    report = examples(documents, out, longest=longest)
    output.show(report, as_json=json)
    raise typer.Exit(0 if report.passed else 2)


@data_app.command("raft")
def data_raft(
    questions: Annotated[
        Path,
        typer.Argument(
            metavar="QUESTIONS",
            help="JSONL of `prompt`, `completion` and `gold`, ids of documents.",
        ),
    ],
    target: Annotated[
        str, typer.Argument(metavar="SPEC|INDEX", help="A spec with `rag`, or an index.")
    ],
    out: Annotated[Path, typer.Option("--out", help="Where the rows go, JSONL.")],
    distractors: Annotated[
        int, typer.Option(min=1, max=20, help="Passages a row that do not answer.")
    ] = 4,
    gold_share: Annotated[
        float,
        typer.Option(min=0, max=1, help="Of answerable rows, how many show what answers them."),
    ] = 0.8,
    unanswerable_share: Annotated[
        float, typer.Option(min=0, max=0.9, help="Of all rows, how many are to say so.")
    ] = 0.15,
    base_model: Annotated[
        str, typer.Option(help="The model whose tokens are counted; empty: none are.")
    ] = "smollm2-135m-instruct",
    max_tokens: Annotated[
        int, typer.Option(min=64, help="Longer rows get fewer distractors.")
    ] = 1024,
    seed: Annotated[int, typer.Option(help="Of what is drawn for each row.")] = 0,
    embedder: Annotated[str, typer.Option(help="That of the index; default: as it says.")] = "",
    group: Annotated[
        list[str] | None,
        typer.Option(
            "--group", help="Show this group's documents too; repeatable. Default: none's."
        ),
    ] = None,
    all_: Annotated[bool, typer.Option("--all", help="Show the documents of all groups.")] = False,
    json: Json = False,
) -> None:
    """Make rows that train to answer from passages, to quote, and to say when none answers."""
    from finewright.cli import output
    from finewright.features.data.raft import raft
    from finewright.rag.target import access_of
    from finewright.schema.raft import RaftSpec

    shares = {"gold_share": gold_share, "unanswerable_share": unanswerable_share}
    length = {"base_model": base_model, "max_tokens": max_tokens}
    spec = RaftSpec(distractors=distractors, seed=seed, **shares, **length)
    watch = output.watch(json)
    report = raft(
        questions,
        target,
        out,
        spec=spec,
        embedder=embedder,
        access=access_of(group or (), is_owner=all_),
        on_progress=lambda done, total: watch("raft", {"done": done, "total": total}),
    )
    output.show(report, as_json=json)
    raise typer.Exit(0 if report.passed else 2)


@data_app.command("report")
def data_report(
    path: Annotated[Path, typer.Argument(metavar="PATH_OR_RUN", help="Data, or a run folder.")],
    out: Annotated[Path, typer.Option("--out", help="The page to write.")] = Path("data.html"),
    type_: Type = RowType.AUTO,
    format_: Format = "auto",
    column: Columns = None,
    json: Json = False,
) -> None:
    """Write one page: counts, problems, quality, repeats, licences, with the rows behind them."""
    from finewright.cli import output
    from finewright.features.data.report import report
    from finewright.features.data.rows import asked_for

    told = report(path, out=out, asked=asked_for(**asked(type_, format_, column)))
    output.show(told, as_json=json)
    raise typer.Exit(0 if told.passed else 2)


@data_app.command("trace")
def data_trace(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run folder.")],
    row: Annotated[str, typer.Argument(help="A row's id, or its place, such as train:12.")],
    json: Json = False,
) -> None:
    """Say where a row of a run came from, with the proof."""
    from finewright.cli import output
    from finewright.features.data.trace import trace

    output.show(trace(run, row), as_json=json)


@data_app.command("without")
def data_without(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run folder.")],
    source: Annotated[str, typer.Argument(help="A source of the spec, or a file in one.")],
    json: Json = False,
) -> None:
    """Name the rows that are left to train on when a source must go."""
    from finewright.cli import output
    from finewright.features.data.trace import without

    output.show(without(run, source), as_json=json)


@data_app.command("list")
def data_list(json: Json = False) -> None:
    """The data sets that can be built, their packages and licences."""
    from finewright.cli import output
    from finewright.data.sets.build import data_sets

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
