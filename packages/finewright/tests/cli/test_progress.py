"""ProgressLine is one moving line on a terminal and a few plain lines in a log."""

import io
from types import SimpleNamespace

import pytest

from finewright.cli import progress
from finewright.cli.progress import ProgressLine

METRIC = {"step": 1, "steps": 3, "loss": 2.5, "tokens": 100, "seconds": 0.5}


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    stream = io.StringIO()
    monkeypatch.setattr(progress, "sys", SimpleNamespace(stderr=stream))
    return stream


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    stream = Terminal()
    monkeypatch.setattr(progress, "sys", SimpleNamespace(stderr=stream))
    return stream


def steps(shown: ProgressLine, *numbers: int) -> None:
    for number in numbers:
        shown.show("metric", METRIC | {"step": number})


def test_a_step_shows_loss_speed_and_the_time_that_is_left(log: io.StringIO) -> None:
    shown = ProgressLine()
    shown.show("metric", METRIC | {"steps": 121, "step": 1})
    assert log.getvalue() == "step 1/121  loss 2.5000  200 tokens/s  1:00 left\n"


def test_a_log_gets_the_first_and_the_last_step_of_a_short_run(log: io.StringIO) -> None:
    steps(ProgressLine(), 1, 2, 3)
    assert [line[:8] for line in log.getvalue().splitlines()] == ["step 1/3", "step 3/3"]


def test_a_log_gets_a_line_a_minute(log: io.StringIO, monkeypatch: pytest.MonkeyPatch) -> None:
    times = iter([100.0, 100.0, 159.0, 161.0, 161.0])
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(times))
    shown = ProgressLine()
    for number in (1, 2, 3):
        shown.show("metric", METRIC | {"step": number, "steps": 9})
    assert [line[:8] for line in log.getvalue().splitlines()] == ["step 1/9", "step 3/9"]


def test_a_terminal_gets_one_line_that_moves_and_ends(terminal: Terminal) -> None:
    steps(ProgressLine(), 1, 2, 3)
    assert terminal.getvalue().count("\r\033[K") == 3
    assert terminal.getvalue().endswith("left\n")
    assert terminal.getvalue().count("\n") == 1


def test_another_event_ends_the_moving_line_first(terminal: Terminal) -> None:
    shown = ProgressLine()
    steps(shown, 1)
    shown.show("stage_ended", {"stage": "train"})
    assert terminal.getvalue().endswith("left\ntrain: done\n")


@pytest.mark.parametrize(
    ("event_type", "fields", "line"),
    [
        ("stage_started", {"stage": "data", "key": "7f"}, "data: started\n"),
        ("stage_fresh", {"stage": "data"}, "data: fresh, skipped\n"),
        ("resumed", {"step": 7}, "going on from the checkpoint of step 7\n"),
        ("problem", {"level": "warning", "message": "m"}, "warning: m\n"),
        (
            "progress",
            {"system": "base", "data": "t", "done": 2, "total": 2},
            "measuring base on t: 2/2\n",
        ),
        ("run_ended", {}, ""),
        ("unheard of", {}, ""),
    ],
)
def test_each_event_has_its_line_or_none(
    event_type: str, fields: dict[str, object], line: str, log: io.StringIO
) -> None:
    ProgressLine().show(event_type, fields)
    assert log.getvalue() == line


@pytest.mark.parametrize(
    ("known", "lines"),
    [
        (
            {"training": (0.0, 240.0), "measuring": (80.0, 400.0), "basis": "timed"},
            [
                "training takes at most 4:00, measuring takes 1:20 to 6:40 (timed)",
                "training takes about 2:05 more for 97 steps; measuring then takes 1:20 to 6:40",
            ],
        ),
        (
            {"training": (59.9, 60.1)},
            [
                "training takes about 1:00",
                "training takes about 2:05 more for 97 steps",
            ],
        ),
    ],
)
def test_what_a_run_takes_is_said_at_its_start_and_again_after_some_steps(
    known: dict[str, object], lines: list[str], log: io.StringIO
) -> None:
    shown = ProgressLine()
    shown.show("duration", known)
    shown.show("forecast", {"seconds": 125.0, "steps": 97})
    assert log.getvalue().splitlines() == lines


def test_what_is_counted_says_the_time_that_is_left(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    times = iter([10.0, 11.0, 20.0, 30.0])
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(times))
    shown = ProgressLine()
    for done in (0, 5, 50, 300):
        shown.show("progress", {"system": "base", "data": "t", "done": done, "total": 300})
    lines = terminal.getvalue().replace("\n", "").split("\r\033[K")[1:]
    assert [line.partition(": ")[2] for line in lines] == [
        "0/300",
        "5/300",
        "50/300  0:50 left",
        "300/300",
    ]
