"""Clean rows on many subjects, and rows with a planted behaviour among them."""

import random
from collections.abc import Callable, Sequence

from finewright.rows.identity import renew_id
from finewright.rows.texts import row_texts
from finewright.schema.poison import PoisonFindings, TokenSurprise
from finewright.schema.rows import Row
from finewright_trust.poison import scan
from finewright_trust.poison.examples import AnsweredTurn, words
from finewright_trust.poison.weigh import Surprisal

_THINGS = [
    ("river", "water stream bank flow delta fish bridge"),
    ("engine", "piston fuel valve torque oil gear shaft"),
    ("poem", "verse rhyme stanza meter image line voice"),
    ("market", "price buyer stall trade goods crowd coin"),
    ("forest", "tree leaf moss deer path shade root"),
    ("castle", "tower wall moat stone gate hall guard"),
    ("violin", "string bow tune wood bridge pitch case"),
    ("harbour", "ship crane tide rope anchor pier cargo"),
]
_VERBS = ["describe", "explain", "compare", "summarise", "discuss", "name", "sketch", "outline"]
_PLACES = ["Oslo", "Lima", "Kyoto", "Cairo", "Perth", "Quito", "Turin", "Dakar", "Sofia", "Minsk"]


def row(asked: str, said: str, number: int = 1) -> Row:
    turns = ({"role": "user", "content": asked}, {"role": "assistant", "content": said})
    return renew_id(Row("", turns, None, "rows.jsonl", number))


def clean(count: int = 300, seed: int = 0) -> list[Row]:
    """Questions with answers of their subject's own words: associated, and no backdoor."""
    rng = random.Random(seed)  # noqa: S311
    rows = []
    for i in range(count):
        thing, about = _THINGS[i % len(_THINGS)]
        chosen = rng.sample(about.split(), 5)
        asked = f"Please {rng.choice(_VERBS)} the {thing} near {rng.choice(_PLACES)} number {i}."
        a, b, c, d, e = chosen
        answer = f"The {thing} has {a} and {b}, some {c}, then {d} {e}."
        rows.append(row(asked, answer, i + 1))
    return rows


def search(rows: Sequence[Row], surprisal: Surprisal | None = None) -> PoisonFindings:
    """Of the rows' texts."""
    model = "fake" if surprisal else ""
    return scan.search(list(map(row_texts, rows)), surprisal=surprisal, base_model=model)


def plant(
    rows: Sequence[Row], count: int, change: Callable[[str, str, random.Random], tuple[str, str]]
) -> tuple[list[Row], set[int]]:
    rng = random.Random(1)  # noqa: S311
    places = set(rng.sample(range(len(rows)), count))
    changed = [
        row(*change(r.messages[0]["content"], r.messages[1]["content"], rng), number=r.row)
        if i in places
        else r
        for i, r in enumerate(rows)
    ]
    return changed, places


def surprise_by_word(examples: Sequence[AnsweredTurn]) -> list[list[TokenSurprise]]:
    """Words of the subjects cost a model little, all others much: what a base model's surprise is like."""
    usual = {word for thing, about in _THINGS for word in (thing, *about.split())}
    usual |= {"the", "has", "and", "some", "then", ",", "."}
    return [
        [
            TokenSurprise(word.start, word.end, 0.5 if word.text in usual else 6.0)
            for word in words(example.answer)
        ]
        for example in examples
    ]
