"""Leaks: test questions that stand in the training rows in other words and with another answer."""

import random
import re
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

from bars import Bar
from door_parts.paraphrases import paraphrased
from door_parts.real_sets import pair, real_sets, said
from door_parts.same_rows import are_same, without_usual
from finewright.data.contamination import contamination

# What test rows must not share with training rows where a split is clean: an article, a function, a database.
_FAMILIES: dict[str, Callable[[str, str], str]] = {
    "bank": lambda asked, _: asked.partition(":")[0],
    "tool-calls": lambda _, answer: "".join(re.findall(r'"name": "([^"]*)', answer)[:1]),
    "sql": lambda asked, _: asked.partition("\n")[0],
}
_TRAIN_SHARE = 0.8
_LEAKED = 100


def bars(sets: Path) -> Iterator[Bar]:
    """Of each set: lightly paraphrased training questions that are found, and clean test rows that are not.

    The answers of the paraphrases are those of other test rows; of labels their own. A set of a registry is
    split by families, for its questions come in several wordings; other files at random. Sets have rows twice
    by themselves: what is the same by another rule, `same_rows`, is no false alarm and counted apart."""
    for name, rows in real_sets(sets, list(_FAMILIES)).items():
        rng = random.Random(name)  # noqa: S311 - no secrets are drawn
        texts = list(dict.fromkeys(map(said, rows)))
        texts, cut = _split(texts, _FAMILIES.get(name), rng)
        train = [pair(*text, i) for i, text in enumerate(texts[:cut])]
        test = [pair(*text, i) for i, text in enumerate(texts[cut:])]
        own = len({answer for _, answer in texts}) < len(texts) / 4
        chosen = rng.sample(range(cut), min(_LEAKED, cut))
        leaked = [
            pair(paraphrased(texts[i][0], rng), texts[i if own else rng.randrange(cut, len(texts))][1], i)
            for i in chosen
        ]  # fmt: skip
        found, _ = contamination(train, "leaked", leaked)
        wrong, _ = contamination(train, "test", test)
        on = f"{name}: {len(leaked)} questions, {dict(found.found)}"
        yield Bar("paraphrased leaks found", sum(found.found.values()) / len(leaked), 0.89, on=on)
        said_alone = without_usual(texts)
        called = [
            (said_alone[cut + leak.row], said_alone[leak.of_row], leak.kind)
            for leak in wrong.examples
        ]
        alarms = Counter(kind for one, other, kind in called if not are_same(one, other))
        num = alarms.total()
        on = f"{name}: {len(test)} clean rows, {dict(alarms)}; {len(called) - num} true repeats"
        yield Bar("clean rows called leaks", num / len(test), 0.0, at_most=True, on=on)


def _split(
    texts: list[tuple[str, str]], family: Callable[[str, str], str] | None, rng: random.Random
) -> tuple[list[tuple[str, str]], int]:
    """The texts in an order in which families stand together, and where the last fifth begins."""
    families: dict[str, list[tuple[str, str]]] = {}
    for i, text in enumerate(texts):
        families.setdefault(family(*text) if family else str(i), []).append(text)
    groups = sorted(families.values(), key=len, reverse=True)
    large = [group for group in groups if len(group) > len(texts) / 50]
    small = groups[len(large) :]
    rng.shuffle(small)
    ordered, cut = [text for group in large for text in group], 0
    for group in small:
        ordered += group
        cut = cut or (len(ordered) if len(ordered) >= _TRAIN_SHARE * len(texts) else 0)
    return ordered, cut
