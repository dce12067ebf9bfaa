"""What a run says while it works: one line that moves on a terminal, one a minute in a log."""

import shutil
import sys
import time
from collections.abc import Mapping
from typing import Any

_LOG_SECONDS = 60.0
_SECONDS_TO_TELL = 2.0  # what takes no longer needs no forecast, and its first steps are slower


WORTH_A_LOOK = (
    "reward",
    "kl",
    "accuracy",
    "margin",
    "length",
    "clip_fraction",
    "eval_loss",
    "eval_accuracy",
    "eval_reward",
)
"""The metrics beside the loss that a line shows, where a method has them."""


class ProgressLine:
    """Shows events on stderr; `ProgressLine.show` is the `on_event` of the workbench."""

    def __init__(self) -> None:
        self._terminal = sys.stderr.isatty()
        self._last = 0.0
        self._seconds: list[float] = []
        self._measuring = ""
        self._begun: dict[tuple[object, ...], tuple[float, int]] = {}

    def show(self, event_type: str, fields: Mapping[str, Any]) -> None:
        """Render one event; events that need no line are passed over."""
        if event_type == "metric":
            self._move(self._metric(fields), last=fields["step"] == fields["steps"])
        elif event_type == "forecast":
            self._line(f"{_training_left(fields)}{self._measuring}")
        elif event_type == "duration":
            self._line(_duration(fields))
            if span := fields.get("measuring"):
                self._measuring = f"; measuring then takes {_between(*span)}"
        elif counted := _COUNTED.get(event_type):
            text = counted.format_map(dict(fields))
            left = self._time_left(event_type, fields)
            self._move(f"{text}: {fields['done']}/{fields['total']}{left}", last=_is_last(fields))
        elif line := _LINES.get(event_type):
            self._line(line.format_map(dict(fields)))

    def _time_left(self, event_type: str, fields: Mapping[str, Any]) -> str:
        """By the speed since the first event of its kind; nothing in the first two seconds."""
        key = (event_type, *(fields.get(name) for name in ("system", "data", "what")))
        now, done = time.monotonic(), fields["done"]
        began, first = self._begun.setdefault(key, (now, done))
        if done <= first or now - began < _SECONDS_TO_TELL or _is_last(fields):
            return ""
        return f"  {_clock((now - began) / (done - first) * (fields['total'] - done))} left"

    def _metric(self, fields: Mapping[str, Any]) -> str:
        self._seconds = [*self._seconds[-19:], fields["seconds"]]
        mean = sum(self._seconds) / len(self._seconds)
        left = (fields["steps"] - fields["step"]) * mean
        speed = fields["tokens"] / fields["seconds"]
        metrics = fields.get("metrics", {})
        shown = {"loss": fields["loss"], **{n: metrics[n] for n in WORTH_A_LOOK if n in metrics}}
        values = "  ".join(f"{name} {_short(value)}" for name, value in shown.items())
        return (
            f"step {fields['step']}/{fields['steps']}  {values}  "
            f"{speed:.0f} tokens/s  {_clock(left)} left"
        )

    def _move(self, text: str, *, last: bool) -> None:
        if self._terminal:
            most = shutil.get_terminal_size().columns - 1
            sys.stderr.write(f"\r\033[K{text[:most]}")
            _open.add(self)
            if last:
                close_line()
        elif last or time.monotonic() - self._last >= _LOG_SECONDS:
            sys.stderr.write(text + "\n")
            self._last = time.monotonic()
        sys.stderr.flush()

    def _line(self, text: str) -> None:
        close_line()
        sys.stderr.write(text + "\n")
        sys.stderr.flush()


_open: set[ProgressLine] = set()


def close_line() -> None:
    """End a line that moves, so that what follows stands on a line of its own."""
    if _open:
        sys.stderr.write("\n")
        _open.clear()


# Events that say how much of how much is done.
_COUNTED = {
    "progress": "measuring {system} on {data}",
    "answering": "{system} answers {data}",
    "attacking": "attacking, {what}",
    "timing": "timing answers of {system}",
    "references": "what the base gives to the answers",
    "embedding": "{features} reads the training rows",
    "indexing": "reading and indexing documents",
    "preparing_rows": "checking, rows so far: {rows}; parts of the files",
    "raft": "questions become rows",
    "weighing": "the base model reads suspicious rows",
}
_LINES = {
    "contest": "{what}",
    "tuning": "trying how much words and vectors should count",
    "asking": "{model} reads {passages} passages and answers",
    "poison_search": "looking for planted rows; {model} weighs what is found",
    "preparing_step": "preparing: {step}",
    "fetching": "fetching {what} (once; it is cached)",
    "calibrating": "measuring this machine's training speed for {seconds:g} s",
    "calibrating_answers": "timing answers of the base model for about {seconds:g} s",
    "preparing": "loading the model runtime",
    "run": "run folder: {run}",
    "stage_started": "{stage}: started",
    "stage_fresh": "{stage}: fresh, skipped",
    "stage_ended": "{stage}: done",
    "resumed": "going on from the checkpoint of step {step}",
    "measurement_kept": "the spec asks for another measurement; the earlier one is kept: {path}",
    "problem": "{level}: {message}",
}


def _training_left(fields: Mapping[str, Any]) -> str:
    return f"training takes about {_clock(fields['seconds'])} more for {fields['steps']} steps"


def _duration(fields: Mapping[str, Any]) -> str:
    """What is known before the first step, in minutes and seconds."""
    said = []
    if span := fields.get("training"):
        said.append(f"training takes {_between(*span)}")
    if span := fields.get("measuring"):
        said.append(f"measuring takes {_between(*span)} ({fields['basis']})")
    return ", ".join(said)


def _between(low: float, high: float) -> str:
    """`about 4:00`, `at most 4:00` or `1:20 to 4:00`."""
    if low <= 0:
        return f"at most {_clock(high)}"
    first, last = _clock(low), _clock(high)
    return f"{first} to {last}" if first != last else f"about {first}"


def _is_last(fields: Mapping[str, Any]) -> bool:
    return bool(fields["done"] == fields["total"])


def _short(value: float) -> str:
    return f"{value:.4f}" if abs(value) < 10 else f"{value:.1f}"  # noqa: PLR2004 - four digits


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02d}"
