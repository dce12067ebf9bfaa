"""`finewright predict`: parse, call one workbench function, print."""

from pathlib import Path
from typing import Annotated

import typer

from finewright.cli.data_options import Columns, Format, Json, columns_of


def predict(
    target: Annotated[
        str, typer.Argument(metavar="RUN_OR_MODEL", help="A run folder, or a base model by name.")
    ],
    path: Annotated[Path, typer.Argument(metavar="FILE", help="Rows to answer, in any format.")],
    out: Annotated[Path, typer.Option("--out", help="The new file of answers, JSONL.")],
    format_: Format = "auto",
    column: Columns = None,
    limit: Annotated[
        int | None, typer.Option(min=1, help="Only so many rows, drawn by the seed.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of the rows drawn.")] = 0,
    max_new_tokens: Annotated[int, typer.Option(min=1, help="Longest answer in tokens.")] = 256,
    batch_size: Annotated[int, typer.Option(min=1, help="Rows answered together.")] = 32,
    base_model: Annotated[
        str, typer.Option("--base-model", help="Which candidate of a run with several.")
    ] = "",
    json: Json = False,
) -> None:
    """Answer every row of a file; the same command goes on where it was cut."""
    from finewright.cli import output
    from finewright.workbench.predict import Predicting
    from finewright.workbench.predict import predict as run

    asked = Predicting(
        target,
        path,
        out,
        format=format_,
        columns=columns_of(column),
        limit=limit,
        seed=seed,
        max_new_tokens=max_new_tokens,
        batch_size=batch_size,
        base_model=base_model,
    )
    output.show(run(asked, on_progress=output.watch_answers(json, "answering")), as_json=json)
