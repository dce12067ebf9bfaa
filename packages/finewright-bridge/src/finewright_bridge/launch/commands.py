"""`finewright launch`: the one call that it is."""

from pydantic import BaseModel

from finewright.feature import Session
from finewright_bridge.launch.options import LaunchOptions


def launch(options: LaunchOptions, session: Session) -> BaseModel:
    """What was written, what it costs, and how it is started."""
    from finewright_bridge.launch.run import launch as run

    return run(options, session)
