"""Texts that end an answer, found across the borders of tokens in a window of the last ones."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice

# A character takes up to four tokens of a byte-level vocabulary.
_TOKENS_A_CHARACTER, _MORE = 4, 8


@dataclass(frozen=True, slots=True)
class StopTexts:
    """`texts` end an answer, as `text_of` makes text of its tokens; those of `dropped` are no part of it."""

    texts: tuple[str, ...]
    text_of: Callable[[Sequence[int]], str]
    dropped: frozenset[int] = frozenset()

    def find(self, answer: Sequence[int]) -> str:
        """The first of them that an answer's last token completed; empty where there is none."""
        most = _TOKENS_A_CHARACTER * max(map(len, self.texts)) + _MORE
        kept = (token for token in reversed(answer) if token not in self.dropped)
        text = self.text_of(list(islice(kept, most))[::-1])
        found = [(text.find(stop), stop) for stop in self.texts if stop in text]
        return min(found)[1] if found else ""
