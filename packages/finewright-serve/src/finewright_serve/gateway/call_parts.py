"""The arguments of an answer's calls, in parts as they are written."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from finewright_serve.gateway.question import CallPart

if TYPE_CHECKING:
    from finewright.judge.answer import Call
    from finewright.lm.answers.begun import BegunCall


@dataclass(slots=True)
class CallParts:
    """What was given of the calls of one answer. The end of an object is held back until it is known that the
    reader reads the call: nobody can run one that it does not."""

    num_given: list[int] = field(default_factory=list)
    """Characters of the arguments of each call."""

    def added(self, begun: "Sequence[BegunCall]", num_read: int = 0) -> tuple[CallPart, ...]:
        """What was written since the last time; the first `num_read` are read."""
        return tuple(part for at in range(len(begun)) for part in self._of(at, begun[at], num_read))

    def _of(self, number: int, call: "BegunCall", num_read: int) -> Iterator[CallPart]:
        is_first = number == len(self.num_given)
        self.num_given += [0] if is_first else []
        given = self.num_given[number]
        end = len(call.arguments) - (call.is_whole and number >= num_read)
        if is_first or end > given:
            yield CallPart(number, call.name if is_first else "", call.arguments[given:end])
        self.num_given[number] = max(given, end)

    def ended(
        self, begun: "Sequence[BegunCall]", calls: "Sequence[Call]"
    ) -> tuple[tuple[CallPart, ...], int]:
        """The last parts, and how many of the first calls are given with them, as they were read."""
        if not self.num_given:
            return (), 0
        num = _num_alike(begun, calls)
        return self.added(begun, num), num


def _num_alike(begun: "Sequence[BegunCall]", calls: "Sequence[Call]") -> int:
    num = 0
    for each, call in zip(begun, calls, strict=False):
        is_alike = each.is_whole and each.name == call.name
        if not is_alike or json.loads(each.arguments) != call.arguments:
            break
        num += 1
    return num
