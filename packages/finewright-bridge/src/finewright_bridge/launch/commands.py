"""`finewright launch` and `bundle`: the one call that each is."""

from pydantic import BaseModel

from finewright.feature import Session
from finewright_bridge.launch.options import BundleOptions, LaunchOptions


def launch(options: LaunchOptions, session: Session) -> BaseModel:
    """What was written, what it costs, and how it is started."""
    from finewright_bridge.launch.run import launch as run

    return run(options, session)


def bundle(options: BundleOptions, session: Session) -> BaseModel:
    """What the folder has, and how it is installed."""
    from finewright_bridge.launch.bundle_command import bundle as run

    return run(options, session)
