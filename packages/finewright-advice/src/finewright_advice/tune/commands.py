"""`finewright tune`: its options, and the one call that it is."""

from pathlib import Path

from pydantic import BaseModel

from finewright.feature import Session
from finewright.schema.options import Runs, SpecOptions, option


class TuneOptions(SpecOptions):
    """A run spec with `tune`, and where its runs and the best settings go."""

    runs: Runs = Path("runs")
    out: Path | None = option(None, "The spec with the best settings; default: beside SPEC.")


def tune(options: TuneOptions, session: Session) -> BaseModel:
    """The search, and what its best settings gain."""
    from finewright.schema.load import load_spec
    from finewright_advice.tune.run import tune as run

    loaded = load_spec(options.spec, options.overrides)
    return run(loaded, options.runs, out=options.out, on_event=session.on_event)
