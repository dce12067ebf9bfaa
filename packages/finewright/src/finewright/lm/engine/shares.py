"""Whose turn it is when several owners of requests want an engine: the one that it has served least leads.

What an owner was served is counted in tokens, read and written. One that comes, or comes again, stands level
with the least served of those that are there, less a credit: a short question is served at once, and who asks
one after the other has no more than the others in the long run. Nobody is further ahead than the credit:
what an owner got that nobody else could use is no debt. This is start-time fair queueing (Goyal et al. 1996,
SIGCOMM) with a lead in place of exact turns: an owner behind the lead gets rows of the lead's steps that cost
nearly nothing (see schedule.py)."""

from collections.abc import Iterable
from dataclasses import dataclass, field

CREDIT = 1024
"""Tokens: a short question with its answer, as a chat has them."""
_MOST_KNOWN = 1024
"""Owners that are remembered, which are keys: more than a file of keys has."""


@dataclass(slots=True)
class OwnerShares:
    """Tokens that each owner was served, from a level that all began at."""

    served: dict[str, int] = field(default_factory=dict)
    _present: frozenset[str] = frozenset()

    @property
    def are_many(self) -> bool:
        """Was there more than one owner?"""
        return len(self.served) > 1

    def order(self, owners: Iterable[str]) -> list[str]:
        """Those that have work now, the least served first."""
        here = frozenset(owners)
        staying = [self.served[each] for each in here & self._present]
        level = min(staying) - CREDIT if staying else max(self.served.values(), default=0)
        for each in here - self._present:
            self.served[each] = max(self.served.pop(each, level), level)
        self._present = here
        for each in [*self.served][: len(self.served) - _MOST_KNOWN]:
            if each not in here:
                del self.served[each]
        return sorted(here, key=lambda each: (self.served[each], each))

    def add(self, owner: str, tokens: int) -> None:
        """It was served so many more."""
        most = min(self.served[each] for each in self._present) + CREDIT
        self.served[owner] = max(self.served[owner], min(self.served[owner] + tokens, most))
