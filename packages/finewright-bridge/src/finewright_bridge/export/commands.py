"""`finewright export`: the one call that it is."""

from pydantic import BaseModel

from finewright.feature import Session
from finewright_bridge.export.options import ExportOptions


def export(options: ExportOptions, session: Session) -> BaseModel:
    """What was written, and how it compares."""
    from finewright_bridge.export.run import export as run

    return run(options, session.on_event)
