"""Near repeats: rows of public tests, which are all distinct, and edits of them that say the same.

The rows are those of the sets that the wheel of `evals` brings (with 30 rows and more, of many languages and
kinds: puzzles, code, labels, boards of games). A set in which rows differ only in signs between words is left
with one of them. 40 % of the sets, by the digest of their names, chose the method's limits and are left out.
No edit is a word that the method lists, as are greetings and thanks."""

import hashlib
import json
import random
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from bars import Bar
from door_parts.real_sets import pair, public_wheel
from finewright.guard.duplicates.near import near_repeats
from finewright.guard.duplicates.numbered import number_rows
from finewright.guard.duplicates.signed import SignedRows, columns_of
from finewright.rows.texts import parts_of

_SIMILARITY = 0.8
_WHEEL = "evals==3.0.1.post1"
_MOST_ROWS, _FEWEST_ROWS, _EDITED, _LONGEST = 250, 30, 20, 3000
_FEWEST_WORDS, _MOSTLY_LETTERS, _CHOSE = 8, 0.7, 40
_LETTERS = "abcdefghijklmnopqrstuvwxyz"

Said = tuple[str, str]


def bars(sets: Path) -> Iterator[Bar]:
    """Distinct rows called near, and edits found."""
    num_sets, num_rows, num_wrong = 0, 0, 0
    tried, found = Counter[str](), Counter[str]()
    for name, rows in public_sets():
        edits = list(_edits(name, rows))
        called = near([*rows, *(edit.row for edit in edits)])
        num_sets, num_rows = num_sets + 1, num_rows + len(rows)
        num_wrong += sum(i < len(rows) for i in called)
        for place, edit in enumerate(edits, len(rows)):
            tried[edit.kind] += 1
            found[edit.kind] += called.get(place) == called.get(edit.of, edit.of)
    on = f"{num_rows} rows of {num_sets} sets"
    yield Bar("distinct rows called near", num_wrong / num_rows, 0.001, at_most=True, on=on)
    kinds = ", ".join(f"{kind} {found[kind] / tried[kind]:.2f}" for kind in sorted(tried))
    yield Bar("edits found", found.total() / tried.total(), 0.96, on=f"{tried.total()}: {kinds}")


def public_sets() -> Iterator[tuple[str, list[Said]]]:
    """Name of each set that chose nothing with its rows, in an order drawn by the name."""
    with public_wheel(_WHEEL) as wheel:
        for info in wheel.infolist():
            if not info.filename.endswith(".jsonl") or _has_chosen(info.filename):
                continue
            lines = wheel.read(info).decode("utf-8", "replace").splitlines()
            rows = [row for line in lines if (row := _said(line)) and len(row[0]) <= _LONGEST]
            _rng(info.filename).shuffle(rows)
            kept = list({_plain(row): row for row in reversed(rows)}.values())[:_MOST_ROWS]
            if len(kept) >= _FEWEST_ROWS:
                yield info.filename, kept


def near(rows: Sequence[Said]) -> dict[int, int]:
    """Place of each row that is called near -> the row that it is near."""
    parts = [parts_of(pair(*row, number)) for number, row in enumerate(rows)]
    signed = SignedRows(columns_of(number_rows(parts), _SIMILARITY))
    found = near_repeats(signed, _SIMILARITY)
    return dict(zip(found.rows.tolist(), found.of.tolist(), strict=True))


class _Edit(NamedTuple):
    kind: str
    of: int
    row: Said


def _edits(name: str, rows: Sequence[Said]) -> Iterator[_Edit]:
    """Up to 20 rows of prose, each changed in one way."""
    rng = _rng(name)
    prose = [i for i, (question, _) in enumerate(rows) if _is_prose(question)]
    for number, of in enumerate(rng.sample(prose, min(_EDITED, len(prose)))):
        kind = list(PERTURBED)[number % len(PERTURBED)]
        question = PERTURBED[kind](rows[of][0], rng)
        if question != rows[of][0]:
            yield _Edit(kind, of, (question, rows[of][1]))


def _is_prose(text: str) -> bool:
    letters = sum(map(str.isalpha, text))
    is_of_letters = letters >= _MOSTLY_LETTERS * len(text.replace(" ", ""))
    return is_of_letters and len(text.split()) >= _FEWEST_WORDS


def _said(line: str) -> Said | None:
    try:
        sample = json.loads(line)
    except ValueError:
        return None
    asked, ideal = sample.get("input"), sample.get("ideal")
    if isinstance(asked, list):
        asked = "\n".join(str(turn.get("content", "")) for turn in asked if isinstance(turn, dict))
    answer = ideal[0] if isinstance(ideal, list) and ideal else ideal
    is_said = (
        isinstance(asked, str) and isinstance(answer, str) and asked.strip() and answer.strip()
    )
    return (asked, answer) if is_said else None


def _plain(row: Said) -> tuple[str, ...]:
    """The words of a row, and its signs where they are many: what is equal here is a repeat."""
    words = [" ".join(re.findall(r"\w+", text.casefold())) for text in row]
    signs = re.sub(r"[\w\s]", "", "".join(row))
    has_many = len(signs) > 0.4 * len("".join("".join(row).split()))
    return (*words, signs if has_many else "")


def _has_chosen(name: str) -> bool:
    return int(hashlib.sha256(name.encode()).hexdigest(), 16) % 100 < _CHOSE


def _rng(seed: str) -> random.Random:
    return random.Random(seed)  # noqa: S311 - no secrets are drawn


def _misspelled(text: str, rng: random.Random) -> str:
    """One longer word with a letter left out, doubled, another one, or before its neighbour."""
    places = list(re.finditer(r"\b[a-z]{6,}\b", text))
    if not places:
        return text
    match = rng.choice(places)
    word, i = match[0], rng.randrange(1, len(match[0]) - 2)
    slips = (
        word[:i] + word[i + 1] + word[i] + word[i + 2 :],
        word[:i] + word[i + 1 :],
        word[:i] + word[i] + word[i:],
        word[:i] + rng.choice(_LETTERS) + word[i + 1 :],
    )
    return text[: match.start()] + rng.choice(slips) + text[match.end() :]


def _marked_up(text: str, rng: random.Random) -> str:
    bold = re.sub(r"\b([a-z]{5,})\b", r"**\1**", text, count=1)
    return rng.choice([bold, f"<p>{text}</p>", f"> {text}", f"# {text}"])


PERTURBED: dict[str, Callable[[str, random.Random], str]] = {
    "misspelled": _misspelled,
    "case": lambda text, rng: rng.choice([text.lower(), text.upper(), text.title()]),
    "punctuation": lambda text, rng: re.sub(
        r"[.,?!](?=\s|$)", lambda _: rng.choice(["", ".", "!", " ,", "..."]), text
    ),
    "spaces": lambda text, rng: re.sub(
        " ", lambda _: rng.choice([" ", "  ", "\n", "\u00a0"]), text
    ),
    "markup": _marked_up,
    "quotes": lambda text, _: text.replace("'", "\u2019").replace('"', "\u201c"),
}
