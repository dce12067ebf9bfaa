"""Near repeats: pairs that are two rows and called near, and perturbed repeats that are found."""

import random
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from door_parts import Bar
from door_parts.contrasts import Pair, chose, reported
from finewright.guard.duplicates.near import near_repeats
from finewright.rows.identity import named_anew
from finewright.rows.texts import parts_of
from finewright.schema.rows import Row

_SIMILARITY = 0.8
_GREETINGS = ("Hello, ", "Hi there! ", "Good morning, ", "Dear team, ", "Hi, quick question: ")
_THANKS = (" Thanks!", " Thank you in advance.", " Many thanks.", " Cheers")
_SMALL = {
    "please": "kindly", "want": "would like", "need": "require", "show": "display", "big": "large",
    "get": "obtain", "help": "assist", "quickly": "fast", "very": "really", "also": "additionally",
    "choose": "select", "give": "tell", "would like": "want", "that": "which",
}  # fmt: skip
_LETTERS = "abcdefghijklmnopqrstuvwxyz"


def bars(sets: Path) -> Iterator[Bar]:
    """Contrasts and repeats, of the kinds that chose the lists and of those that did not."""
    for name, pairs in (("chosen on", chose()), ("reported", reported())):
        wrong = [pair for pair in pairs if is_near(pair.one, pair.other)]
        on = f"{len(pairs)} pairs of {len({pair.kind for pair in pairs})} kinds, {name}"
        yield Bar("contrasts called near", len(wrong) / len(pairs), 0.02, at_most=True, on=on)
        rows = sorted({side for pair in pairs for side in (pair.one, pair.other)})
        found = dict.fromkeys(PERTURBED, 0)
        for kind, change in PERTURBED.items():
            rng = random.Random(kind)  # noqa: S311 - no secrets are drawn
            found[kind] = sum(is_near(row, (change(row[0], rng), row[1])) for row in rows)
        on = f"{len(rows)} rows, " + ", ".join(f"{k} {n / len(rows):.2f}" for k, n in found.items())
        yield Bar(
            "perturbed repeats found", sum(found.values()) / len(rows) / len(found), 0.97, on=on
        )


def is_near(one: tuple[str, str], other: tuple[str, str]) -> bool:
    """Is the second row called a repeat of the first?"""
    return bool(near_repeats([parts_of(row(one, 1)), parts_of(row(other, 2))], _SIMILARITY))


def row(said: tuple[str, str], number: int) -> Row:
    """A question with its answer."""
    turns = zip(("user", "assistant"), said, strict=True)
    messages = tuple({"role": role, "content": text} for role, text in turns)
    return named_anew(Row("", messages, None, "f.jsonl", number))


def _misspelled(text: str, rng: random.Random) -> str:
    """One or two words of five letters or more with a slip of the pen."""
    places = list(re.finditer(r"\b[a-z]{5,}\b", text))
    chosen = rng.sample(places, min(len(places), rng.randint(1, 2)))
    for match in sorted(chosen, key=lambda m: -m.start()):
        word, i = match[0], rng.randrange(1, len(match[0]) - 2)
        slips = (
            word[:i] + word[i + 1] + word[i] + word[i + 2 :],
            word[:i] + word[i + 1 :],
            word[:i] + word[i] + word[i:],
            word[:i] + rng.choice(_LETTERS) + word[i + 1 :],
        )
        text = text[: match.start()] + rng.choice(slips) + text[match.end() :]
    return text


def _small_words(text: str, rng: random.Random) -> str:
    for word, other in _SMALL.items():
        if re.search(rf"\b{word}\b", text):
            return re.sub(rf"\b{word}\b", other, text, count=1)
    return f"Please: {text}"


def _moved(text: str, rng: random.Random) -> str:
    """Two neighbouring words of prose exchanged."""
    words = text.split(" ")
    plain = [
        i
        for i in range(len(words) - 1)
        if (words[i] + words[i + 1]).isalpha() and (words[i] + words[i + 1]).islower()
    ]
    if plain:
        i = rng.choice(plain)
        words[i : i + 2] = words[i + 1], words[i]
    return " ".join(words)


def _punctuated(text: str, rng: random.Random) -> str:
    return re.sub(r"[.,?](?=\s|$)", lambda _: rng.choice(["", "!", "...", " ,"]), text)


def _spaced(text: str, rng: random.Random) -> str:
    return re.sub(" ", lambda _: rng.choice([" ", "  ", " ", "\n"]), text)


def _small_case(text: str, rng: random.Random) -> str:
    return rng.choice([str.lower, str.upper, str.capitalize])(text)


PERTURBED: dict[str, Callable[[str, random.Random], str]] = {
    "misspelled": _misspelled,
    "case": _small_case,
    "punctuation": _punctuated,
    "spaces": _spaced,
    "greeting": lambda text, rng: rng.choice(_GREETINGS) + text,
    "thanks": lambda text, rng: text + rng.choice(_THANKS),
    "small words": _small_words,
    "moved": _moved,
    "several": lambda text, rng: _small_case(_misspelled(rng.choice(_GREETINGS) + text, rng), rng),
}


def called_near(pairs: Sequence[Pair]) -> list[Pair]:
    """The pairs that are called near, to look at."""
    return [pair for pair in pairs if is_near(pair.one, pair.other)]
