"""What `finewright data poison` can be given."""

from pathlib import Path

from finewright.features.data.options import DataPath, RowOptions
from finewright.schema.options import option


class PoisonOptions(RowOptions):
    """Who weighs the rows, and where they go."""

    path: DataPath
    base_model: str = option(
        "smollm2-135m-instruct", "The model that weighs what is found; empty: none."
    )
    embedder: str = option(
        "minilm", "What says what rows with a label mean, to find wrong labels; none: their words."
    )
    out: Path | None = option(None, "Write the rows that are not suspicious here.")
    quarantine: Path | None = option(None, "Write the suspicious rows here.")
