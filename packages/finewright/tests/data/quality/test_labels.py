"""Labels and contradictions, each named with its rows."""

from finewright.data.quality.labels import conflicts, label_balance

from .rows import pair, prompt, row, rows


def test_likes_and_dislikes_are_labels() -> None:
    found = label_balance([row("a", number=i, label=i < 3) for i in range(5)])
    assert found.figure is not None
    assert {b.label: b.count for b in found.figure.bars} == {"liked": 3, "disliked": 2}
    assert found.problems == ()


def test_short_answers_that_repeat_are_labels() -> None:
    found = label_balance(rows(*["spam"] * 19, "ham"))
    assert found.figure is not None
    assert {b.label: b.count for b in found.figure.bars} == {"spam": 19, "ham": 1}
    assert [p.message for p in found.problems] == ["95 % of 20 labelled rows say 'spam'"]


def test_free_answers_are_no_labels() -> None:
    assert label_balance(rows(*[f"answer {i}" for i in range(40)])).figure is None
    assert (
        label_balance(rows(*["yes"] * 30, "a long answer that is no label at all, surely")).figure
        is None
    )
    assert label_balance(rows("yes", "no")).figure is None
    assert label_balance([prompt("a", i) for i in range(20)]).figure is None


def shown(found: object) -> dict[str, list[int]]:
    return {b.label: [r.row for r in b.rows] for b in found.figure.bars}  # type: ignore[attr-defined]


def test_one_prompt_with_two_answers() -> None:
    found = conflicts(
        [row("4", "2+2?", 1), row("5", "2+2?", 2), row("4", "3+1?", 3), row("4", "2+2?", 4)]
    )
    assert shown(found) == {"one prompt, several answers (1 prompt)": [1, 2, 4]}
    assert [(p.level, p.row) for p in found.problems] == [("warning", 1)]


def test_the_same_answer_is_no_contradiction() -> None:
    assert conflicts([row("4", "2+2?", 1), row("4 ", "2+2?", 2), prompt("2+2?", 3)]).problems == ()


def test_an_answer_liked_and_disliked() -> None:
    found = conflicts(
        [
            row("4", "2+2?", 1, label=True),
            row("4", "2+2?", 2, label=False),
            row("5", "2+2?", 3, label=False),
        ]
    )
    assert shown(found) == {"one answer, liked and disliked (1 prompt)": [1, 2]}


def test_a_pair_both_ways_round() -> None:
    found = conflicts([pair("x", "y", "a?", 1), pair("y", "x", "a?", 2), pair("x", "z", "a?", 3)])
    assert shown(found) == {"one pair, both ways round (1 prompt)": [1, 2]}
    assert conflicts([pair("x", "y", "a?", 1), pair("x", "z", "a?", 2)]).problems == ()
