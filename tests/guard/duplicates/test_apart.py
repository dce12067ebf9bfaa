"""Rows that a count of their words tells apart are no repeats by all that is looked at, either."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from finewright.guard.duplicates import alike as module
from finewright.guard.duplicates.alike import alike
from finewright.guard.duplicates.apart import are_apart
from finewright.guard.duplicates.words import wordings
from finewright.rows.texts import parts_of

from .made import chat, seeded, words

# Words, and what may stand there and say the same; what does not has a word of no list.
STANDS_FOR = {
    "the": "a", "hello": "hi", "please": "", "may": "can", "cant": "dont", "ten": "10", "color": "colour",
    "receive": "recieve", "kitchen": "kitchne", "data": "", "base": "database", "day": "team",
}  # fmt: skip
EDITS = st.lists(st.tuples(st.integers(0, 10**6), st.sampled_from(["same"] * 9 + ["new"])))


def edited(base: list[str], edits: list[tuple[int, str]]) -> str:
    text = list(base)
    for place, kind in edits:
        at = place % len(text)
        new = words(seeded(place), 1)
        text[at] = STANDS_FOR.get(text[at], text[at]) if kind == "same" else new
    return " ".join(text)


@settings(max_examples=400, deadline=None)
@given(st.integers(0, 50), st.integers(8, 140), EDITS, EDITS, st.sampled_from([0.6, 0.8]))
def test_rows_that_are_alike_are_not_apart(
    seed: int,
    size: int,
    asked: list[tuple[int, str]],
    answered: list[tuple[int, str]],
    similarity: float,
) -> None:
    rng = seeded(seed)
    question, answer = (
        rng.choices([*STANDS_FOR, *words(rng, 12).split()], k=n) for n in (size, 150 - size)
    )
    row = chat(" ".join(question), " ".join(answer))
    other = chat(edited(question, asked), edited(answer, answered))
    found = wordings(map(parts_of, [row, other]))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "are_apart", lambda *_: False)
        share = alike(found[0], found[1], similarity)
    if share is not None:
        assert not are_apart(found[0], found[1], similarity)
        assert not are_apart(found[1], found[0], similarity)


LONG = words(seeded(1), 90)
MORE = words(seeded(2), 30)


@pytest.mark.parametrize(
    ("text", "is_apart"),
    [
        (f"{LONG} {MORE}", True),
        # Letters exchanged, small words, or words parted otherwise may say the same.
        (LONG.replace("ga", "ag"), False),
        (f"{LONG} {'the and of to a in for it ' * 4}", False),
        (LONG.replace(" ", "", 60), False),
    ],
)
def test_it_takes_words_that_say_something_other(text: str, is_apart: bool) -> None:
    found = wordings(map(parts_of, [chat("why", LONG), chat("why", text)]))
    assert are_apart(found[0], found[1], 0.8) == is_apart
