"""How an answer ends: by saying the same again and again, or not."""

_LEAST_TIMES = 4
_LEAST_CHARACTERS = 40


def loops(text: str) -> bool:
    """Does the text end in at least four copies of one piece, of at least 40 characters together?

    The last copy may be cut short. A list of numbered lines is no loop, as its lines differ. Takes time in
    proportion to the text's length: the border function of Knuth, Morris & Pratt 1977 on the reversed text,
    whose prefix of length n has the smallest period n - border(n)."""
    turned = text[::-1]
    borders = [0] * len(turned)
    border = 0
    for i in range(1, len(turned)):
        while border and turned[i] != turned[border]:
            border = borders[border - 1]
        border += turned[i] == turned[border]
        borders[i] = border
        length, period = i + 1, i + 1 - border
        if length >= max(_LEAST_CHARACTERS, _LEAST_TIMES * period):
            return True
    return False
