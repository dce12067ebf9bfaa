"""`finewright migrate`: away from a hosted fine-tune."""

from pathlib import Path
from typing import Annotated

import typer

migrate_app = typer.Typer(
    no_args_is_help=True, help="Move a hosted fine-tune to an open model, and prove parity."
)


@migrate_app.callback()
def _hosts() -> None:
    """Move a hosted fine-tune to an open model, and prove parity."""


@migrate_app.command("openai")
def migrate_openai(
    files: Annotated[list[Path], typer.Option("--files", help="Training JSONL; repeatable.")],
    golden: Annotated[
        str,
        typer.Option(help="The old model's answers: a JSONL of prompt and answer, or URL#MODEL."),
    ],
    job: Annotated[
        Path | None, typer.Option(help="The fine-tuning job's JSON.", show_default=False)
    ] = None,
    validation: Annotated[
        Path | None,
        typer.Option(help="Validation JSONL: asked if --golden is a URL.", show_default=False),
    ] = None,
    base_model: Annotated[
        str, typer.Option("--base-model", help="The open model to train.")
    ] = "smollm2-135m-instruct",
    folder: Annotated[
        Path, typer.Option(help="Where rows, frozen answers, spec and report go.")
    ] = Path("migration"),
    metric: Annotated[
        list[str] | None, typer.Option(help="A metric; the first decides; repeatable.")
    ] = None,
    margin: Annotated[
        float, typer.Option(help="How far below the old model still is as good.")
    ] = 0.05,
    golden_rows: Annotated[int, typer.Option(min=1, help="Most golden prompts.")] = 100,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Override a key, e.g. train.epochs=1."),
    ] = None,
    runs: Annotated[Path, typer.Option("--runs", help="The folder that holds the runs.")] = Path(
        "runs"
    ),
    json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Read OpenAI fine-tuning files, freeze the old answers, train an open model, compare."""
    from datetime import date

    from finewright.cli import output
    from finewright.features.migrate.openai import Migration
    from finewright.features.migrate.openai import migrate as run

    asked = Migration(
        files=tuple(files),
        golden=golden,
        folder=folder,
        base_model=base_model,
        job=job,
        validation=validation,
        metrics=tuple(metric or ()),
        margin=margin,
        golden_rows=golden_rows,
        overrides=tuple(set_ or ()),
    )
    report = run(asked, runs, today=date.today(), on_event=output.watch(json))
    output.show(report, as_json=json)
    raise typer.Exit(0 if report.passed else 2)
