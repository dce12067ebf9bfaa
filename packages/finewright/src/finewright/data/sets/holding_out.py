"""Which families of rows are held out whole, so that nothing alike is on both sides."""

import hashlib
from collections import Counter
from collections.abc import Collection, Iterable, Sequence


def digest(text: str) -> str:
    """Orders texts by chance, the same each time."""
    return hashlib.sha256(text.encode()).hexdigest()


def held_out_families(families: Iterable[str], share: float, seed: int) -> set[str]:
    """Families in an order of chance, each that does not exceed what is still wanted.

    `families` names the family of every row; `share` is of the rows."""
    sizes = Counter(families)
    wanted = round(share * sizes.total())
    held_out = set()
    for family in sorted(sizes, key=lambda family: digest(f"{seed}:{family}")):
        if sizes[family] <= wanted:
            held_out.add(family)
            wanted -= sizes[family]
    return held_out


def joined_families(marks: Sequence[Collection[str]]) -> list[str]:
    """The family of each row: rows that share a mark are of one, and so are those between them.

    A family is called by the first of its marks."""
    leader: dict[str, str] = {}

    def lead(mark: str) -> str:
        while leader.setdefault(mark, mark) != mark:
            mark = leader[mark]
        return mark

    for of_row in marks:
        first, *others = sorted({lead(mark) for mark in of_row})
        leader.update(dict.fromkeys(others, first))
    return [lead(next(iter(of_row))) for of_row in marks]
