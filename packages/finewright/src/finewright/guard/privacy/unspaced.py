"""Where a value ends that a word of a script without spaces follows at once, as a word of Chinese does.

Where the word may be of the value, it is: rather a word too many goes than a part of a secret stays.

The scripts whose names the tagger does not read: where a text is in one, none found means nothing.

Without capitals, and mostly without spaces, a name looks like any other word there."""

import re
from collections.abc import Iterator

from finewright.guard.privacy.scan import UNSPACED

_SCRIPTS = {
    "Chinese or Japanese": re.compile("[\u3040-\u30ff\u3400-\u9fff]"),
    "Korean": re.compile("[\uac00-\ud7af]"),
    "Thai or Lao": re.compile("[\u0e00-\u0eff]"),
    "the scripts of India": re.compile("[\u0900-\u0d7f]"),
}


_LEAST_SHARE, _FEWEST = 0.2, 10


# Of Chinese and Japanese; the letters of full width are none of them.
_SIGNS = "\u3000-\u303f\uff01-\uff0f\uff1a-\uff20\uff3b-\uff40\uff5b-\uff5e"
_WORD = UNSPACED + _SIGNS
_WORDS = re.compile(f"[{_WORD}]")
_LETTER = rf"[^\W{UNSPACED}]"
# Not where more of a host (`shop例え.jp`), of a path or a port follows the word.
_HOST = re.compile(
    rf"(?:[^\s/@?#:]{{0,100}}:[^\s/@?#]{{0,200}}@)?(?:{_LETTER}|[.-])*{_LETTER}(?::[0-9]{{1,5}})?(?=[{_WORD}])"
    rf"(?![\w{_WORD}-]*(?<!www)(?:\.\w|[/?#]|:[0-9]))"
)
_APART = r"\s<>\"'`\\^{}|\[\]"
_PLAIN = re.compile(rf"[^{_APART}\x80-\U0010ffff]+")
_REACH = rf"[^{_APART}]{{0,200}}"
# A sign is of a path after a word of such a script, before one of ASCII, and where a query follows. One that
# parts sentences is so only where ASCII follows.
_LINK_END = re.compile(
    rf"[{_APART}]|(?<![{_WORD}])[{_SIGNS}](?![A-Za-z0-9])(?!{_REACH}[?&#=][A-Za-z0-9_%])"
    rf"|[\u3001\u3002\u300d\u300f\uff0c\uff1a\uff1b](?!{_REACH}[A-Za-z0-9])"
)


def before_words(text: str, start: int, end: int) -> int:
    """Where the words begin that a value of ASCII ends with; else `end`."""
    while text[start].isascii() and _WORDS.match(text, end - 1):
        end -= 1
    return end


def host_end(text: str, start: int, end: int) -> int:
    """Where a host ends right before such a word, with the user before it and its port; else `end`."""
    match = _HOST.match(text, start, end)
    return match.end() if match else end


def link_end(text: str, start: int) -> int:
    """Where a link ends that goes on at `start`, with the signs of a sentence that are left of it."""
    plain = _PLAIN.match(text, start)
    match = _LINK_END.search(text, plain.end() if plain else start)
    return match.start() if match else len(text)


def path_end(text: str, start: int, end: int) -> int:
    """Where a path with its query ends: a word that anything of these follows may be a part of it."""
    if "?" in text[start:end] or "=" in text[start:end]:
        return before_words(text, start, end)
    match = _WORDS.search(text, max(start, text.rfind("/", start, end)), end)
    return match.start() if match else end


def unread_scripts_in(text: str) -> Iterator[str]:
    """The scripts in which a fifth of a text is, and ten letters of it."""
    if text.isascii():
        return
    letters = sum(map(str.isalpha, text))
    for name, script in _SCRIPTS.items():
        number = len(script.findall(text))
        if number >= max(_FEWEST, _LEAST_SHARE * letters):
            yield name
