"""What a guard is: a pure function that finds in a text what must not pass, and the plugin that makes it.

    GUARD = GuardPlugin(Settings, make, {"input": {"block", "log"}, "output": {"block", "redact", "log"}})

A guard knows texts alone: what becomes of what it finds, for which keys, and what a stream holds back
meanwhile is the pipeline's (`guards.pipeline`)."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple, Protocol, TypeAlias

from finewright.schema.common import Model

Side: TypeAlias = Literal["input", "untrusted", "output"]
"""What the client says; what others wrote (results of tools, passages); what the model answers."""
Action: TypeAlias = Literal["block", "redact", "mark", "log"]


@dataclass(frozen=True, slots=True)
class TextPlace:
    """Where a text stands: its side, the role of its message, the system prompt of its conversation, and
    whether it is the content of the message, or else thoughts or an argument of a call."""

    side: Side
    role: str = "user"
    system: str = ""
    is_content: bool = True


class Finding(NamedTuple):
    """`text[start:end]` must not pass; `what` names the kind and never the value; `score` is 0 to 1."""

    start: int
    end: int
    what: str
    score: float = 1.0


class Guard(Protocol):
    """One guard with its settings. What it need not do it does as `PlainGuard`."""

    window: int
    """Characters after a place that may still make it part of a finding: a stream holds back so many."""
    note: str
    """What is added to the system prompt while the guard is on for a side that it marks or watches."""
    reason: str
    """What a client is told of a text that is blocked, where the kind of a finding does not say it."""

    def find(self, text: str, place: TextPlace) -> Sequence[Finding]:
        """What must not pass, in order and apart. The same text and place give the same findings."""

    def opening(self, text: str) -> int:
        """Where something begins at the end of the text that may become a finding however long it gets, as
        a link that does not end; the length of the text where nothing does."""

    def mark(self, text: str) -> str:
        """The text with what sets it apart from instructions."""


class PlainGuard:
    """A guard that needs no window, notes nothing and marks nothing."""

    window = 0
    note = ""
    reason = ""

    def opening(self, text: str) -> int:
        """Nothing is open."""
        return len(text)

    def mark(self, text: str) -> str:
        """The text as it is."""
        return text


def last_word(text: str, longest: int) -> int:
    """Where the word begins that the text ends with, of at most `longest` characters; its length where it
    ends with a blank. In time that grows with `longest` alone."""
    tail = text[-longest:]
    return len(text) - (len(tail.split()[-1]) if tail and not tail[-1].isspace() else 0)


class GuardFolder(NamedTuple):
    """What a guard is made beside: the folder that paths of the settings start from."""

    root: Path


class GuardPlugin(NamedTuple):
    """What the entry point names: the class of the settings, what makes the guard of them, and the actions
    that each side may have. `make` raises a FinewrightError for settings that cannot be used."""

    settings: type[Model]
    make: Callable[[Any, GuardFolder], Guard]  # Any: an object of `settings`
    actions: Mapping[Side, frozenset[Action]]


BOTH_WAYS: Mapping[Side, frozenset[Action]] = {
    "input": frozenset({"block", "redact", "log"}),
    "untrusted": frozenset({"block", "redact", "log"}),
    "output": frozenset({"block", "redact", "log"}),
}
"""Of guards whose findings are places in a text."""


class NoSettings(Model):
    """Nothing is a matter of choice."""
