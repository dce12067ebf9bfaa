"""Where spaces beyond ASCII stand in texts of UTF-8, as an array of bytes."""

import numpy as np
from numpy.typing import NDArray

# Two or three bytes each, as numbers; the highest is U+3000.
_SPACES = [
    int.from_bytes(sign.encode(), "big") for sign in map(chr, range(128, 0x3001)) if sign.isspace()
]
_OF_TWO, _OF_THREE = (
    np.array([space for space in _SPACES if (space < 1 << 16) == is_short], np.int32)
    for is_short in (True, False)
)
_BEGIN_THREE = np.unique(_OF_THREE >> 8)


def spaces_beyond(text: NDArray[np.uint8]) -> NDArray[np.int64]:
    """The places of all bytes of U+0085, U+00A0, U+2003, U+3000 and so on: all that Python calls spaces.

    After the last of them are two bytes at least."""
    at = np.flatnonzero(text[:-2] > 127)  # noqa: PLR2004 - beyond ASCII
    two = text[at].astype(np.int32) << 8 | text[at + 1]
    short = at[np.isin(two, _OF_TWO)]
    # Few begin as a space of three bytes does.
    is_begun = np.isin(two, _BEGIN_THREE)
    begun = at[is_begun]
    long = begun[np.isin(two[is_begun] << 8 | text[begun + 2], _OF_THREE)]
    return np.concatenate([short, short + 1, long, long + 1, long + 2])
