"""The scripts whose names the tagger does not read: where a text is in one, none found means nothing.

Without capitals, and mostly without spaces, a name looks like any other word there."""

import re
from collections.abc import Iterator

_SCRIPTS = {
    "Chinese or Japanese": re.compile("[\u3040-\u30ff\u3400-\u9fff]"),
    "Korean": re.compile("[\uac00-\ud7af]"),
    "Thai or Lao": re.compile("[\u0e00-\u0eff]"),
    "the scripts of India": re.compile("[\u0900-\u0d7f]"),
}
_LEAST_SHARE, _FEWEST = 0.2, 10


def unread_scripts_in(text: str) -> Iterator[str]:
    """The scripts in which a fifth of a text is, and ten letters of it."""
    if text.isascii():
        return
    letters = sum(map(str.isalpha, text))
    for name, script in _SCRIPTS.items():
        number = len(script.findall(text))
        if number >= max(_FEWEST, _LEAST_SHARE * letters):
            yield name
