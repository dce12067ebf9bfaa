"""`finewright decide --measure`: its options, and the one call that it is."""

from pathlib import Path
from typing import Annotated

from pydantic import BaseModel

from finewright.errors import SpecError
from finewright.feature import Session
from finewright.schema.options import CommandOptions, Overrides, Runs, argument, option


class MeasureOptions(CommandOptions):
    """A run spec with `measure`, the prices of what it compares, and where its runs go."""

    spec: Annotated[Path | None, argument("SPEC")] = option(None, "A spec with `measure`.")
    overrides: Overrides = ()
    prices: Path | None = option(None, "Folder of prices, in place of your own.")
    runs: Runs = Path("runs")


def measure(options: MeasureOptions, session: Session) -> BaseModel:
    """What each way is worth on the spec's own rows."""
    from finewright.catalog.prices import check_user_folder, own_folder
    from finewright.schema.load import load_spec
    from finewright_advice.measure.experiment import measure as run

    check_user_folder(options.prices)
    if options.spec is None:
        raise SpecError("--measure: needs a run spec", hint="finewright decide --measure SPEC")
    try:
        loaded = load_spec(options.spec, options.overrides)
    except SpecError as error:
        if error.hint:  # of what the file is instead
            error.hint = "--measure reads a run spec with `measure: {}`: docs/measure.md"
        raise
    folder = own_folder(options.prices)
    return run(loaded, options.runs, on_event=session.on_event, user_prices=folder)
