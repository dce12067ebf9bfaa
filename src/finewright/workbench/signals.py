"""Ctrl-C and SIGTERM as a question that the stages ask between their steps."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def stop_requests() -> Iterator[Callable[[], int]]:
    """Yields a function that gives the number of the signal that asked to stop, or 0.

    A second signal of the kind acts at once, as it would without us."""
    asked = 0

    def ask(number: int, _: FrameType | None) -> None:
        nonlocal asked
        asked = number
        signal.signal(
            number, signal.SIG_DFL if number == signal.SIGTERM else signal.default_int_handler
        )

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
