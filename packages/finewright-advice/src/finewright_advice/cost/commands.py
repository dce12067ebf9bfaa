"""`finewright cost`: its options, and the one call that it is."""

from pathlib import Path

from pydantic import BaseModel

from finewright.feature import Session
from finewright.schema.options import Runs, SpecOptions, option
from finewright_advice.cost.spec import FrameworkName


class CostOptions(SpecOptions):
    """A run spec, and how closely its training is looked at."""

    trace: bool = option(False, "Trace the training step on tensors without data.")
    calibrate: bool = option(False, "Time some real steps on this machine.")
    framework: FrameworkName | None = option(
        None, "Estimate the same run in another framework; in place of the spec's cost.framework."
    )
    runs: Runs = Path("runs")


def cost(options: CostOptions, session: Session) -> BaseModel:
    """Machine by machine: memory, time and money."""
    from finewright.schema.load import load_spec
    from finewright_advice.cost.forecast import cost as run

    o = options
    loaded = load_spec(o.spec, o.overrides)
    return run(
        loaded,
        trace=o.trace,
        calibrate=o.calibrate,
        runs=o.runs,
        today=session.today,
        framework=o.framework,
    )
