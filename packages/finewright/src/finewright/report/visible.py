"""Text of others on a page: what cannot be seen is made visible, and nothing acts."""

import re

# C0 and C1 controls but tab and line feed, soft hyphen, zero-width and bidi marks, line separators,
# variation selectors, tags, halves of surrogate pairs, non-characters.
_HIDDEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u034f\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f"
    "\ufe00-\ufe0e\ufeff\ufff9-\ufffb\ufffe\uffff\ud800-\udfff\U000e0000-\U000e0fff]"
)


def visible(text: str) -> str:
    r"""The text with each character that hides, or turns the text around, as `\u{200b}`.

    The joiners of emoji are shown as well: better an odd emoji than an unseen message."""
    return _HIDDEN.sub(lambda match: f"\\u{{{ord(match[0]):04x}}}", text)


def cut(text: str, longest: int) -> str:
    """The text, or its beginning and how many characters are left out."""
    if len(text) <= longest:
        return text
    return f"{text[:longest]} ... and {len(text) - longest:,} more characters"
