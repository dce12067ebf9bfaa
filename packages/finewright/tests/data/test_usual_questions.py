"""Short questions of few kinds are alike by nature: of a clean split none is a leak, paraphrases are."""

import random
import re

from finewright.data.contamination import contamination
from finewright.schema.rows import Row
from guard.duplicates.made import chat

_KINDS = {
    "card": "my new card has not arrived in the post yet",
    "fee": "there is a fee on my statement that nobody explained",
    "top_up": "the top up of my account failed when i paid at the shop",
    "limit": "what is the limit of a transfer to another bank in europe",
}
_BEFORE = re.findall(
    r"\w+", "hello could you please tell me quickly since it is urgent and i wait for days that"
)
_THINGS = re.findall(
    r"\w+", "umbrella lantern piano violin garden ladder wallet basket mirror candle teapot"
)


def _questions(count: int, seed: int) -> list[Row]:
    """What is usual to say, more or less of it, before one of four questions."""
    rng = random.Random(seed)  # noqa: S311
    rows = []
    for i in range(count):
        kind = rng.choice(list(_KINDS))
        said = " ".join(rng.sample(_BEFORE, rng.randrange(3, 9)) + rng.sample(_THINGS, 3))
        rows.append(chat(f"{said} {_KINDS[kind]}", kind, row=i + 1))
    return rows


def test_a_clean_split_of_short_questions_has_no_leaks_and_says_why() -> None:
    report, problems = contamination(_questions(600, 0), "test", _questions(120, 1))
    assert report.found.get("question", 0) == 0
    (said,) = [problem for problem in problems if problem.level == "info"]
    assert "as training rows do among each other: they are not called leaks" in said.message


def test_questions_in_free_words_are_leaks_as_ever() -> None:
    rng = random.Random(2)  # noqa: S311
    train = [
        chat(
            " ".join(rng.sample(_BEFORE, 4) + [f"w{rng.randrange(10**6)}" for _ in range(8)]),
            kind,
            row=i,
        )
        for i, kind in enumerate(list(_KINDS) * 40, 1)
    ]
    asked = [row.messages[0]["content"].split() for row in train[:40]]
    moved = [
        chat(" ".join(["well", *words[6:], *words[:6]]), row.messages[1]["content"], row=i)
        for i, (words, row) in enumerate(zip(asked, train[:40], strict=True), 1)
    ]
    report, _ = contamination(train, "test", moved)
    assert report.found.get("question", 0) + report.found.get("near", 0) >= 36
