"""The words of a text, in whatever script, for what is found by words."""

import re
import unicodedata

from finewright.judge.searchable import searchable

_ACCENTS = re.compile("[\u0300-\u036f]")


class _Kept(dict[int, int]):
    """Letters, marks and numbers as they are, a space for all else; filled as characters are met."""

    def __missing__(self, code: int) -> int:
        kept = unicodedata.category(chr(code))[0] in "LMN"
        return self.setdefault(code, code if kept else ord(" "))


_kept = _Kept()


def words(text: str) -> list[str]:
    """Runs of letters, marks and numbers, in lower case, without the accents of Latin, Greek and Cyrillic.

    Punctuation parts words (`foo_bar`, `a.b/c` and `don't` are several), so that no text is syntax. Scripts
    without spaces are cut into pairs of characters; a single one is found at the end of a run alone."""
    spaced = searchable(text)
    if not spaced.isascii():
        plain = _ACCENTS.sub("", unicodedata.normalize("NFKD", spaced))
        spaced = unicodedata.normalize("NFKC", plain)
    return spaced.lower().translate(_kept).split()
