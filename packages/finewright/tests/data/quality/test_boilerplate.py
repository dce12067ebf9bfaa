"""Shared phrases are found with their rows; a shared topic is not."""

from finewright.data.quality.measure import boilerplate

from .rows import rows

WORDS = ["apple", "river", "stone", "cloud", "tiger", "piano", "glass", "north", "seven", "paper"]


def test_a_shared_sentence_is_found_once() -> None:
    answers = [f"I hope this message helps you. {a} {b} are things" for a in WORDS for b in WORDS]
    found = boilerplate(rows(*answers, *[f"{w} {w} {w} {w} {w} {i}" for i, w in enumerate(WORDS)]))
    assert [(b.label, b.count) for b in found.bars] == [
        ("says: I hope this message helps you.", 100)
    ]
    assert [r.row for r in found.bars[0].rows][:3] == [1, 2, 3]


def test_a_shared_beginning_and_end_are_found() -> None:
    answers = [f"Sure, here is the {w} {v} and that is all" for w in WORDS for v in WORDS]
    labels = [b.label for b in boilerplate(rows(*answers)).bars]
    assert labels == ["begins: Sure, here is the", "ends: and that is all"]


def test_repeated_answers_and_different_ones_share_nothing() -> None:
    assert boilerplate(rows(*["The same answer as a whole here."] * 30)).bars == ()
    assert boilerplate(rows(*[f"{w} {w} {w} {w} {i}" for i, w in enumerate(WORDS)])).bars == ()
    assert boilerplate([]).bars == ()


def test_of_many_answers_an_even_part_is_read() -> None:
    answers = [f"Sure, here is the {i} and no more" for i in range(30_000)]
    found = boilerplate(rows(*answers))
    assert found.rows == 15_000
    assert [(b.label, b.count) for b in found.bars] == [("begins: Sure, here is the", 15_000)]
