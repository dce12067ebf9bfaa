"""`finewright migrate openai`: its options, and the one call that it is."""

from pathlib import Path
from typing import Annotated

from pydantic import BaseModel

from finewright.feature import Session
from finewright.schema.options import CommandOptions, Flag, Overrides, Runs, option


class OpenaiOptions(CommandOptions):
    """What there is of the hosted model, and what parity with it is."""

    files: tuple[Path, ...] = option(..., "Training JSONL; repeatable.")
    golden: str = option(
        ..., "The old model's answers: a JSONL of prompt and answer, or URL#MODEL."
    )
    job: Path | None = option(None, "The fine-tuning job's JSON.")
    validation: Path | None = option(None, "Validation JSONL: asked if --golden is a URL.")
    base_model: str = option("smollm2-135m-instruct", "The open model to train.")
    folder: Path = option(Path("migration"), "Where rows, frozen answers, spec and report go.")
    metrics: Annotated[tuple[str, ...], Flag("--metric")] = option(
        (), "A metric; the first decides; repeatable."
    )
    margin: float = option(0.05, "How far below the old model still is as good.")
    golden_rows: int = option(100, "Most golden prompts.", ge=1)
    overrides: Overrides = ()
    runs: Runs = Path("runs")


def openai(options: OpenaiOptions, session: Session) -> BaseModel:
    """The whole way, and whether parity is proved."""
    from finewright_bridge.migrate.openai import Migration, migrate

    migration = Migration(**{name: value for name, value in options if name != "runs"})
    return migrate(migration, options.runs, today=session.today, on_event=session.on_event)
