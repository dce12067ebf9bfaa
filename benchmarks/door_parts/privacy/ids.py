"""Identity numbers of 50 states: valid ones in sentences of their language, and slips."""

import random
from collections import Counter
from collections.abc import Iterator

from bars import Bar
from door_parts.privacy.id_values import KINDS, slipped
from finewright.guard.privacy.find import find

EACH = 50


def bars() -> Iterator[Bar]:
    """Drawn values that are found, and slips that are called a number although a check digit shows them.

    A slip can make a valid number, of this kind (a wrong birth day is none to a check that it moves by its
    modulus) or of another: so the limit is not 0."""
    draw = random.Random("ids")  # noqa: S311
    missed, called, slips = Counter[str](), Counter[str](), 0
    for name, kind in KINDS.items():
        for number in range(EACH):
            head, _, tail = kind.texts[number % len(kind.texts)].partition("{}")
            value = kind.draw(draw)
            missed[name] += not is_found(head, value, tail)
            if kind.is_checked:
                slips += 1
                called[name] += is_found(head, slipped(value, draw), tail)
    total = EACH * len(KINDS)
    on = f"{total} drawn values, {len(KINDS)} kinds of 50 states; missed: {dict(+missed) or 'none'}"
    yield Bar("identity numbers found", 1 - missed.total() / total, 0.99, on=on)
    on = f"{slips} slips; called: {dict(+called) or 'none'}"
    yield Bar("slips called a number", called.total() / slips, 0.02, at_most=True, on=on)


def is_found(head: str, value: str, tail: str) -> bool:
    """Is the value found, and nothing more of the text?"""
    spans = [span[:2] for span in find(head + value + tail, {"national_id"})]
    return spans == [(len(head), len(head) + len(value))]
