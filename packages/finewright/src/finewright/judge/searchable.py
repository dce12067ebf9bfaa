"""Text as a full-text index takes it, so that words are found in scripts that put no space between them.

Words of Chinese, Japanese, Korean, Thai, Lao, Khmer and Burmese become overlapping pairs of characters, as in
Lucene's CJKBigramFilter; the last character of a run stands alone too, so that a single one is found as the
beginning of a token. Vowel points of Hebrew and Arabic, which writers leave out, are left out.

The words of a text, in whatever script, for what is found by words."""

import re
import unicodedata

_UNSPACED = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff"  # Thai and Lao, Burmese, Khmer
    "\u1100-\u11ff\u3005-\u3007\u3041-\u30ff\u31f0-\u31ff\uac00-\ud7ff"  # Hangul and kana
    "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"  # Han
)
_RUN = re.compile(f"[{_UNSPACED}]+")
_POINTS = re.compile("[\u0591-\u05bd\u05bf-\u05c7\u0640\u064b-\u065f\u0670]")
_SURROGATES = re.compile("[\ud800-\udfff]")
# Letters and digits, and the marks that some scripts spell with; nothing that could be syntax.
_WORD = re.compile("(?:[^\\W_]|[\u0300-\u036f\u0900-\u0fff\u1000-\u109f\u1780-\u17ff])+")


def searchable(text: str) -> str:
    """The text of a document, with spaces between the words that it is found by."""
    return (
        text
        if text.isascii()
        else _RUN.sub(lambda run: _space_pairs(run[0], 0), _strip_points(text))
    )


def is_text(text: str) -> bool:
    """Whether it is text that can be stored. What the command line could not decode is not."""
    return not _SURROGATES.search(text)


def num_words(text: str) -> int:
    """How many words a `searchable` text has."""
    return len(_WORD.findall(text))


def query_words(query: str) -> list[str]:
    """The distinct words of a query in order; one of `begins_words` stands for all that begin with it."""
    # Within a run the pairs say all; the last character alone would find the ends of other runs.
    paired = _RUN.sub(lambda run: _space_pairs(run[0], 1), _strip_points(query).casefold())
    return list(dict.fromkeys(_WORD.findall(paired)))


def begins_words(word: str) -> bool:
    """Whether the word of a query is a single character of a script without spaces."""
    return len(word) == 1 and bool(_RUN.match(word))


def _strip_points(text: str) -> str:
    return _POINTS.sub("", unicodedata.normalize("NFKC", _SURROGATES.sub(" ", text)))


def _space_pairs(run: str, dropped: int) -> str:
    places = range(max(len(run) - dropped, 1))
    return f" {' '.join(run[at : at + 2] for at in places)} "


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
