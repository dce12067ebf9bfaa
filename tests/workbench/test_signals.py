"""A first signal is a question; a second acts; afterwards all is as before."""

import os
import signal

import pytest

from finewright.workbench.signals import stop_requests


def test_nobody_asked_is_zero() -> None:
    with stop_requests() as should_stop:
        assert should_stop() == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_is_remembered_and_not_raised(number: signal.Signals) -> None:
    with stop_requests() as should_stop:
        os.kill(os.getpid(), number)
        assert should_stop() == number


def test_a_second_interrupt_acts_at_once() -> None:
    with stop_requests() as should_stop:
        os.kill(os.getpid(), signal.SIGINT)
        assert should_stop() == signal.SIGINT
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)


def test_the_handlers_from_before_come_back() -> None:
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = [signal.getsignal(number) for number in numbers]
    with stop_requests():
        os.kill(os.getpid(), signal.SIGINT)
    assert [signal.getsignal(number) for number in numbers] == before
