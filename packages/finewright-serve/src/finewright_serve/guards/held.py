"""A text on its way to the client: what a guard may still find in it is held back, and never taken back.

    let go | held back
           ^ the cut: no finding can begin before it any more, and none lies across it

A finding is acted on once the text after it is longer than the guards' windows, or the text has ended. So a
secret that comes in many pieces is seen whole before its first character leaves."""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from finewright_serve.guards.guard import Action, Finding, Guard, TextPlace

_BEHIND = 256
"""Characters that have left and are still read, for what stands in front of a value: recognisers look at most
120 characters back (`guard.privacy`), and a word more."""
_STRIDE = 24
"""Characters that come before the guards look again, about six tokens: a look costs 0.1 to 1 ms."""
MOST_HELD = 32_768
"""Characters that one text holds back for what has begun and does not end; then it counts as found."""


class ArmedGuard(NamedTuple):
    """A guard, its name in the spec, what it does here, and whether a text passes that it cannot check."""

    name: str
    guard: Guard
    action: Action
    fails_open: bool


class GuardedFinding(NamedTuple):
    """What was found, by whom, and what becomes of it. A `failed` check found the whole text."""

    found: Finding
    by: ArmedGuard
    failed: bool = False


Record = Callable[[GuardedFinding], None]


def look(
    guards: Sequence[ArmedGuard],
    text: str,
    place: TextPlace,
    report: Callable[[str, Exception], None],
) -> list[GuardedFinding]:
    """What the guards find, by its place; `report` hears of a guard that failed."""
    found: list[GuardedFinding] = []
    for armed in guards:
        try:
            found += [GuardedFinding(each, armed) for each in armed.guard.find(text, place)]
        except Exception as error:  # whatever the code of a plugin does
            report(armed.name, error)
            found.append(GuardedFinding(Finding(0, len(text), "a failed check"), armed, True))
    return sorted(found, key=_place)


def _place(each: GuardedFinding) -> tuple[int, int]:
    return each.found.start, -each.found.end


def blocks(each: GuardedFinding) -> bool:
    """Does nothing pass from its place on?"""
    return not each.by.fails_open if each.failed else each.by.action == "block"


def replaced(text: str, found: Sequence[GuardedFinding]) -> str:
    """The text with what is to be redacted as `[WHAT]`; places that overlap become one."""
    parts, last = [], 0
    for each in found:
        start, end, what, _ = each.found
        if each.failed or each.by.action != "redact" or end <= last:
            continue
        if start >= last:
            parts += [text[last:start], f"[{what.upper().replace(' ', '_')}]"]
        last = end
    return "".join([*parts, text[last:]])


class HeldText:
    """One text, as its pieces come. `is_blocked`: nothing of it passes any more."""

    def __init__(
        self,
        guards: Sequence[ArmedGuard],
        place: TextPlace,
        record: Record,
        report: Callable[[str, Exception], None],
    ) -> None:
        self._guards, self._place = guards, place
        self._record, self._report = record, report
        self._window = max((each.guard.window for each in guards), default=0)
        self._text, self._gone, self._fresh = "", 0, 0
        self.is_blocked = False

    def add(self, piece: str) -> str:
        """What may leave after the next piece came."""
        if self.is_blocked or not piece:
            return ""
        if not self._guards:
            return piece
        self._text += piece
        self._fresh += len(piece)
        if self._fresh < _STRIDE or len(self._text) - self._gone <= self._window:
            return ""
        self._fresh = 0
        opening = min(
            (each.guard.opening(self._text) for each in self._guards), default=len(self._text)
        )
        return self._let_go(min(len(self._text) - self._window, opening))

    def end(self) -> str:
        """The rest of what may leave."""
        return "" if self.is_blocked else self._let_go(len(self._text))

    def _let_go(self, cut: int) -> str:
        is_full = len(self._text) - self._gone > MOST_HELD
        if cut <= self._gone and not is_full:
            return ""
        found = [
            each
            for each in look(self._guards, self._text, self._place, self._report)
            if each.found.end > self._gone
        ]
        if is_full:
            found = sorted([*found, *self._endless()], key=_place)
        if is_full or any(each.failed and blocks(each) for each in found):
            cut = len(self._text)
        elif cut < len(self._text):
            cut = _between(found, cut)
        ready = [each for each in found if each.found.start < cut]
        return self._leave(ready, cut) if cut > self._gone else ""

    def _endless(self) -> Iterator[GuardedFinding]:
        """What has begun and does not end."""
        for each in self._guards:
            start = each.guard.opening(self._text)
            if start < len(self._text):
                yield GuardedFinding(Finding(start, len(self._text), "without end"), each)

    def _leave(self, ready: list[GuardedFinding], cut: int) -> str:
        stop = next((each for each in ready if blocks(each)), None)
        if stop is not None:
            cut = max(self._gone, stop.found.start)
            ready = [each for each in ready if each.found.start < cut or each is stop]
            self.is_blocked = True
        own = [_moved(each, self._gone) for each in ready]
        for each in own:
            self._record(each)
        out = replaced(
            self._text[self._gone : cut],
            [each for each in own if each.found.start < cut - self._gone],
        )
        keep = max(0, cut - _BEHIND)
        self._text, self._gone = self._text[keep:], cut - keep
        return out


def _between(found: Sequence[GuardedFinding], cut: int) -> int:
    """The last place up to the cut that lies in no finding."""
    for each in reversed(found):
        if each.found.start < cut < each.found.end and not each.failed:
            cut = each.found.start
    return cut


def _moved(each: GuardedFinding, by: int) -> GuardedFinding:
    start, end = max(0, each.found.start - by), each.found.end - by
    return each._replace(found=each.found._replace(start=start, end=end))
