"""`finewright serve`: the one call that it is."""

from finewright.feature import Session
from finewright_serve.options import ServeOptions


def serve(options: ServeOptions, session: Session) -> str:
    """Serve until SIGTERM, or make a key, which is returned."""
    from finewright_serve.run import serve as run

    return run(options, session)
