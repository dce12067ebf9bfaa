"""Prompt lookup: what followed the last tokens earlier in the text is tried as their continuation.

Quotes, names, JSON keys and code repeat what the prompt says (Saxena 2023, https://github.com/apoorvumang/
prompt-lookup-decoding). k guessed tokens are computed in one step with the last one; each token is then
chosen as it would be without a guess, and the first that differs ends the guess. So every answer is the same,
and a step gives 1 to k + 1 tokens. An answer whose guesses do not hold makes none for a while."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

_LONGEST, _SHORTEST = 4, 2  # tokens that must repeat
_MOST = 6
_PATIENCE = 4
_REST = 32  # tokens without a guess after so many that did not hold


class Guesser(Protocol):
    """What guesses, and learns how its guess fared."""

    def learn(self, num_guessed: int, num_held: int) -> None:
        """So many of the guessed tokens were those that were chosen."""
        ...


@dataclass(slots=True)
class PromptLookup:
    """Where each run of tokens of a text was last, and how its guesses fare."""

    _last: dict[tuple[int, ...], int] = field(default_factory=dict)
    _known: int = 0
    _failed: int = 0
    _rest: int = 0

    def guess(self, tokens: Sequence[int], most: int) -> tuple[int, ...]:
        """At most so many tokens that may follow."""
        found = self._find(tokens)
        if self._rest:
            self._rest -= 1
            return ()
        return () if found is None else tuple(tokens[found : found + min(most, _MOST)])

    def learn(self, num_guessed: int, num_held: int) -> None:
        """How a guess fared."""
        self._failed = 0 if 2 * num_held >= num_guessed else self._failed + 1
        if self._failed >= _PATIENCE:
            self._failed, self._rest = 0, _REST

    def _find(self, tokens: Sequence[int]) -> int | None:
        """Where what followed the longest repeated end begins."""
        for end in range(max(self._known, 1), len(tokens)):
            for size in range(_SHORTEST, min(_LONGEST, end) + 1):
                self._last[tuple(tokens[end - size : end])] = end
        self._known = len(tokens)
        ends = (tuple(tokens[-size:]) for size in range(_LONGEST, _SHORTEST - 1, -1))
        return next((self._last[end] for end in ends if end in self._last), None)
