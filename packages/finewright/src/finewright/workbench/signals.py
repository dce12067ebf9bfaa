"""Ctrl-C and SIGTERM as a question that the stages ask between their steps."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import ParamSpec

from finewright.errors import Interrupted

GOES_ON = "the same command goes on from there"
Progress = ParamSpec("Progress")


@contextmanager
def stop_requests(
    late: str = "stopped; what was done is kept", hint: str = GOES_ON
) -> Iterator[Callable[[], int]]:
    """Yields a function that gives the number of the signal that asked to stop, or 0.

    A second signal of the kind acts at once, as it would without us. A request that nobody acted on, because
    the last question had been asked before it came, raises Interrupted at the end, with the message `late`:
    none is lost."""
    received = 0

    def ask(number: int, _: FrameType | None) -> None:
        nonlocal received
        received = number
        signal.signal(
            number, signal.SIG_DFL if number == signal.SIGTERM else signal.default_int_handler
        )

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: received
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if received:
        raise Interrupted(late, signal_number=received, hint=hint)


@contextmanager
def watch_for_stop(
    on_progress: Callable[Progress, None],
    stopped: str = "stopped while measuring; what was answered is kept",
    **late: str,
) -> Iterator[Callable[Progress, None]]:
    """`on_progress`, which raises Interrupted with the message `stopped` where somebody asked to stop."""
    with stop_requests(**late) as should_stop:

        def watch(*progress: Progress.args, **named: Progress.kwargs) -> None:
            on_progress(*progress, **named)
            if stop := should_stop():
                raise Interrupted(stopped, signal_number=stop, hint=GOES_ON)

        yield watch


@contextmanager
def goes_on(hint: str = GOES_ON) -> Iterator[None]:
    """A run that is stopped within a larger command goes on with that command, not by itself."""
    try:
        yield
    except Interrupted as stopped:
        stopped.hint = hint
        raise
