"""Tokens -> their text while they come, of which only the last ones are decoded again.

Equal to decoding all of them each time, which costs O(n^2). A boundary is settled where the text before it
ends with a whole character and where no byte tokens meet: a decoder with byte fallback reads a run of those
as a whole. Tokens before a boundary stay in the window, for a decoder may treat the first one otherwise."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache

from transformers import PreTrainedTokenizerBase, PreTrainedTokenizerFast

HALF = "\ufffd"
_KEPT, _MOST = 4, 16


@dataclass(slots=True)
class TextWindow:
    """The text of all tokens so far, special ones included, without any cleaning up of blanks."""

    tokenizer: PreTrainedTokenizerBase
    dropped_ids: frozenset[int] = frozenset()
    text: str = ""
    _ids: list[int] = field(default_factory=list)
    _settled: str = ""
    _known: str = ""

    def add(self, tokens: Sequence[int]) -> str:
        """The whole text with these tokens."""
        for token in tokens:
            if token not in self.dropped_ids:
                self._ids.append(token)
                self._settle()
        self.text = self._settled + self._decode(self._ids)[len(self._known) :]
        return self.text

    def _settle(self) -> None:
        """Settle the boundary before the newest token where the window has grown long."""
        end = len(self._ids) - 1
        if end < _MOST or self._is_byte(end) or self._is_byte(end - 1):
            return
        before = self._decode(self._ids[:end])
        if before.endswith(HALF):
            return
        self._settled += before[len(self._known) :]
        self._ids = self._ids[end - _KEPT :]
        self._known = self._decode(self._ids[:_KEPT])

    def _is_byte(self, at: int) -> bool:
        token = self.tokenizer.convert_ids_to_tokens(self._ids[at])
        return token is not None and token.startswith("<0x")

    def _decode(self, ids: list[int]) -> str:
        return plain_text(self.tokenizer, ids)


def plain_text(tokenizer: PreTrainedTokenizerBase, ids: Sequence[int]) -> str:
    """Tokens as they were written, special ones included: a tokenizer may be set to take blanks from before
    stops and commas."""
    if _decodes_plainly(tokenizer.__class__):
        return str(tokenizer.backend_tokenizer.decode(ids, skip_special_tokens=False))
    plainly = {"skip_special_tokens": False, "clean_up_tokenization_spaces": False}
    return str(tokenizer.decode(ids, **plainly))


@cache
def _decodes_plainly(kind: type[PreTrainedTokenizerBase]) -> bool:
    """Whether it decodes as its backend does. That takes a quarter of the time."""
    fast = PreTrainedTokenizerFast
    is_fast = issubclass(kind, fast)
    return is_fast and kind.decode is fast.decode and kind._decode is fast._decode
