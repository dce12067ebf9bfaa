"""Many texts looked for at once in one pass over another (Aho and Corasick, 1975)."""

from collections.abc import Iterable

from finewright.errors import MissingExtra


class Needles:
    """Needles, each with a number whose bits are gathered where it is found."""

    def __init__(self, needles: Iterable[tuple[bytes, int]]) -> None:
        try:
            from ahocorasick_rs import BytesAhoCorasick
        except ImportError:
            raise MissingExtra(
                "finding secrets needs ahocorasick-rs", hint='pip install "finewright[data]"'
            ) from None
        bits: dict[bytes, int] = {}
        for needle, bit in needles:
            bits[needle] = bits.get(needle, 0) | bit
        self._bits = tuple(bits.values())
        self._search = BytesAhoCorasick(list(bits))

    def bits_in(self, text: bytes) -> int:
        """The bits of all needles that stand in the text, also of those within others."""
        found = 0
        for index in {
            match[0] for match in self._search.find_matches_as_indexes(text, overlapping=True)
        }:
            found |= self._bits[index]
        return found
