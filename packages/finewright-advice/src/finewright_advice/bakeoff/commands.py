"""`finewright bakeoff`: its options, and the one call that it is."""

from pathlib import Path

from pydantic import BaseModel

from finewright.feature import Session
from finewright.schema.options import Runs, SpecOptions


class BakeoffOptions(SpecOptions):
    """A run spec with several base models, and where its runs go."""

    runs: Runs = Path("runs")


def bakeoff(options: BakeoffOptions, session: Session) -> BaseModel:
    """The leaderboard, and which model wins."""
    from finewright.schema.load import load_spec
    from finewright_advice.bakeoff.run import bakeoff as run

    loaded = load_spec(options.spec, options.overrides)
    return run(loaded, options.runs, today=session.today, on_event=session.on_event)
