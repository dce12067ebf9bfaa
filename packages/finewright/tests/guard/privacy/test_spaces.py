"""Spaces are those that Python calls so."""

import sys

import numpy as np

from finewright.guard.privacy.spaces import spaces_beyond


def test_the_bytes_of_every_space_beyond_ascii_are_found_and_of_nothing_else() -> None:
    signs = [chr(i) for i in range(sys.maxunicode + 1) if not 0xD800 <= i < 0xE000]
    text = np.frombuffer("".join(signs).encode() + b"\0\0", np.uint8)
    is_space = [
        sign.isspace() and not sign.isascii() for sign in signs for _ in range(len(sign.encode()))
    ]
    assert np.array_equal(np.sort(spaces_beyond(text)), np.flatnonzero(is_space))
