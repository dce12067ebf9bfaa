"""A first signal is a question; a second acts; afterwards all is as before."""

import contextlib
import os
import signal

import pytest

from finewright.errors import Interrupted
from finewright.workbench.signals import stop_requests


def test_nobody_asked_is_zero() -> None:
    with stop_requests() as should_stop:
        assert should_stop() == 0


def stopped_by(number: int, *, looks: bool) -> int:
    """Asks to stop itself; what it heard if it looks, and 0 else."""
    with stop_requests() as should_stop:
        os.kill(os.getpid(), number)
        return should_stop() if looks else 0


@pytest.mark.parametrize("looks", [True, False])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_request_that_nobody_acted_on_is_not_lost(number: signal.Signals, looks: bool) -> None:
    with pytest.raises(Interrupted) as stopped:
        stopped_by(number, looks=looks)
    assert stopped.value.exit_code == 128 + number


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_is_remembered_and_not_raised(number: signal.Signals) -> None:
    heard = []
    with contextlib.suppress(Interrupted), stop_requests() as should_stop:
        os.kill(os.getpid(), number)
        heard.append(should_stop())
    assert heard == [number]


def failing() -> None:
    with stop_requests():
        os.kill(os.getpid(), signal.SIGTERM)
        raise ValueError("wrong")


def test_an_error_says_more_than_a_request() -> None:
    with pytest.raises(ValueError, match="wrong"):
        failing()


def interrupted_twice() -> None:
    with stop_requests() as should_stop:
        os.kill(os.getpid(), signal.SIGINT)
        assert should_stop() == signal.SIGINT
        os.kill(os.getpid(), signal.SIGINT)


def test_a_second_interrupt_acts_at_once() -> None:
    with pytest.raises(KeyboardInterrupt):
        interrupted_twice()


def test_the_handlers_from_before_come_back() -> None:
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = [signal.getsignal(number) for number in numbers]
    with contextlib.suppress(Interrupted), stop_requests():
        os.kill(os.getpid(), signal.SIGINT)
    assert [signal.getsignal(number) for number in numbers] == before


def test_a_request_that_came_late_says_what_is_so() -> None:
    with pytest.raises(Interrupted, match="the answers are in a") as stopped:  # noqa: SIM117
        with stop_requests("stopped; the answers are in a.jsonl", "look there"):
            os.kill(os.getpid(), signal.SIGTERM)
    assert stopped.value.hint == "look there"
