"""Texts that end an answer, found across the borders of tokens in a window of the last ones."""

from collections.abc import Callable, Sequence

TextOf = Callable[[Sequence[int]], str]
# A character takes up to four tokens of a byte-level vocabulary.
_TOKENS_A_CHARACTER, _MORE = 4, 8


def stop_in(tokens: Sequence[int], stops: Sequence[str], text_of: TextOf) -> str:
    """The first of the stops that the last token completed; empty where there is none."""
    longest = max(map(len, stops))
    text = text_of(tokens[-(_TOKENS_A_CHARACTER * longest + _MORE) :])
    found = [(text.find(stop), stop) for stop in stops if stop in text]
    return min(found)[1] if found else ""
