"""A `limit` draws rows that look like the whole file, the same for a seed."""

from collections import Counter
from pathlib import Path

import pytest

from finewright.data.gather import read_row_set
from finewright.rows.texts import draw_places, draw_rows
from finewright.schema.evaluate import EvalSetSpec
from finewright.schema.rows import Row

LABELS = [f"intent {i // 40:02d}" for i in range(3080)]  # 77 labels, sorted by label
KEYS = [str(i) for i in range(3080)]


def row(number: int, answer: str) -> Row:
    turns = ({"role": "user", "content": str(number)}, {"role": "assistant", "content": answer})
    return Row(f"{number:x}", turns, None, "rows.jsonl", number)


def test_a_file_sorted_by_label_keeps_every_label_in_its_share() -> None:
    drawn = draw_places(KEYS, LABELS, 200, seed=0)
    counts = Counter(LABELS[i] for i in drawn.places)
    assert drawn.is_stratified
    assert len(set(drawn.places)) == 200
    assert len(counts) == 77
    assert set(counts.values()) == {2, 3}  # 200 of 3080 are 2.6 of each 40


def test_rare_labels_keep_their_share_too() -> None:
    labels = ["common"] * 900 + ["rare"] * 100
    for seed in range(20):
        drawn = draw_places(KEYS[:1000], labels, 50, seed)
        assert Counter(labels[i] for i in drawn.places) == {"common": 45, "rare": 5}


def test_every_row_has_the_same_chance() -> None:
    labels = ["a"] * 7 + ["b"] * 13
    found: Counter[int] = Counter()
    for seed in range(4000):
        found.update(draw_places(KEYS[:20], labels, 6, seed).places)
    # 4000 draws with chance 0.3: 1200 each, standard deviation 29
    assert all(abs(found[i] - 1200) < 5 * 29 for i in range(20))


def test_answers_that_are_no_labels_are_drawn_without_strata() -> None:
    rows = [row(i, f"an answer of its own {i}") for i in range(100)]
    drawn = draw_rows(rows, 10, seed=3)
    assert not drawn.is_stratified
    assert len(drawn.rows) == 10
    assert list(drawn.rows) == sorted(drawn.rows, key=lambda r: r.row)
    assert drawn.rows != tuple(rows[:10])


def test_a_seed_repeats_the_draw_and_another_seed_draws_others() -> None:
    assert draw_places(KEYS, LABELS, 50, 1) == draw_places(KEYS, LABELS, 50, 1)
    assert draw_places(KEYS, LABELS, 50, 1) != draw_places(KEYS, LABELS, 50, 2)


def test_where_there_are_no_more_rows_all_are_kept() -> None:
    rows = [row(i, "a") for i in range(5)]
    assert draw_rows(rows, 5, 0).rows == tuple(rows)
    assert draw_rows(rows, 9, 0).rows == tuple(rows)


@pytest.fixture
def sorted_file(tmp_path: Path) -> Path:
    path = tmp_path / "test.jsonl"
    lines = (f'{{"q": "Q{i}", "a": "{label}"}}\n' for i, label in enumerate(LABELS[:400]))
    path.write_text("".join(lines))
    return path


def test_a_limit_of_a_file_is_drawn_and_told(sorted_file: Path) -> None:
    columns = {"prompt": "q", "completion": "a"}
    spec = EvalSetSpec(path=str(sorted_file), columns=columns, limit=40)
    found = read_row_set(sorted_file, spec, seed=7)
    assert found.problems == ()
    assert Counter(r.messages[-1]["content"] for r in found.rows) == dict.fromkeys(
        set(LABELS[:400]), 4
    )
    assert found.draw is not None
    assert found.draw.line() == "40 of 400 rows, sampled by seed 7, stratified by answer"


def test_a_limit_that_leaves_all_rows_is_no_draw(sorted_file: Path) -> None:
    spec = EvalSetSpec(path=str(sorted_file), columns={"prompt": "q", "completion": "a"}, limit=400)
    found = read_row_set(sorted_file, spec)
    assert len(found.rows) == 400
    assert found.draw is None
