"""Every row that is read is kept or counted under the reason why not, and every problem is said."""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from finewright.data.gather import Gathered, gather, read_row_set
from finewright.schema.common import Source
from finewright.schema.data import DataSpec

PAIR = {"prompt": "Q", "completion": "A"}
CHAT = {"messages": [{"role": "user", "content": "Q"}, {"role": "assistant", "content": "A"}]}
NO_ANSWER = {"messages": [{"role": "user", "content": "Q"}]}


def write(path: Path, rows: Sequence[object]) -> None:
    path.write_text("".join((r if isinstance(r, str) else json.dumps(r)) + "\n" for r in rows))


def pairs(count: int, start: int = 0) -> list[dict[str, str]]:
    return [{"prompt": f"Q{i}", "completion": "A"} for i in range(start, start + count)]


def gathered(folder: Path, *sources: object, **fields: object) -> Gathered:
    named = [s if isinstance(s, dict) else {"path": s} for s in sources]
    spec = DataSpec.model_validate({"sources": named, **fields})
    return gather(spec, lambda path: folder / path)


def test_all_sources_are_joined_in_order_with_their_digests(tmp_path: Path) -> None:
    write(tmp_path / "a.jsonl", pairs(2))
    write(tmp_path / "b.jsonl", [CHAT])
    found = gathered(tmp_path, {"path": "a.jsonl", "license": "MIT", "owner": "us"}, "b.jsonl")
    assert [(Path(row.file).name, row.row) for row in found.train] == [
        ("a.jsonl", 1),
        ("a.jsonl", 2),
        ("b.jsonl", 1),
    ]
    digests = [hashlib.sha256((tmp_path / f"{n}.jsonl").read_bytes()).hexdigest() for n in "ab"]
    assert found.sources == (
        Source(path="a.jsonl", sha256=digests[0], license="MIT", owner="us"),
        Source(path="b.jsonl", sha256=digests[1]),
    )
    assert found.types == {"prompt_completion": 2, "messages": 1}
    assert found.problems == ()


def test_every_row_is_kept_or_counted_under_a_reason(tmp_path: Path) -> None:
    write(tmp_path / "a.jsonl", [*pairs(3), "{", NO_ANSWER])
    write(tmp_path / "b.jsonl", [*pairs(1, start=9), "[", NO_ANSWER, NO_ANSWER])
    counts = gathered(tmp_path, "a.jsonl", "b.jsonl").counts
    assert (counts.rows_in, counts.rows_kept) == (9, 4)
    assert counts.rows_dropped == {"unreadable": 2, "invalid": 3}
    assert counts.rows_in == counts.rows_kept + sum(counts.rows_dropped.values())


def test_a_missing_file_is_a_problem_and_the_others_are_still_read(tmp_path: Path) -> None:
    write(tmp_path / "a.jsonl", pairs(2))
    found = gathered(tmp_path, "gone.jsonl", "a.jsonl")
    assert [p.message for p in found.problems] == ["there is no such file"]
    assert found.counts.rows_kept == 2
    assert found.sources[0].sha256 == ""


def test_the_held_out_share_and_the_rest_are_all_rows(tmp_path: Path) -> None:
    write(tmp_path / "a.jsonl", pairs(200))
    found = gathered(tmp_path, "a.jsonl", eval_fraction=0.2)
    assert len(found.train) + len(found.eval) == found.counts.rows_kept == 200
    assert 20 <= len(found.eval) <= 60
    assert {r.id for r in found.train}.isdisjoint(r.id for r in found.eval)


def test_another_seed_holds_out_other_rows(tmp_path: Path) -> None:
    write(tmp_path / "a.jsonl", pairs(100))
    first, second = (
        gathered(tmp_path, "a.jsonl", eval_fraction=0.2, shuffle_seed=s) for s in (0, 1)
    )
    assert first.eval != second.eval


def test_a_share_that_holds_nothing_out_is_an_error(tmp_path: Path) -> None:
    write(tmp_path / "a.jsonl", [PAIR])
    (problem,) = gathered(tmp_path, "a.jsonl", eval_fraction=0.3).problems
    assert problem.line() == (
        "data.eval_fraction: none of the 1 rows fell into the held-out share "
        "(raise it, change data.shuffle_seed, or set it to 0)"
    )
    assert problem.level == "error"


@pytest.mark.parametrize(("limit", "rows"), [(None, [1, 2, 3]), (2, [1, 2]), (9, [1, 2, 3])])
def test_a_row_set_is_the_file_or_its_first_rows(
    limit: int | None, rows: list[int], tmp_path: Path
) -> None:
    write(tmp_path / "a.jsonl", pairs(3))
    found = read_row_set(tmp_path / "a.jsonl", limit)
    assert [row.row for row in found.rows] == rows
    assert found.problems == ()


def test_a_row_set_needs_a_question_in_every_row(tmp_path: Path) -> None:
    write(tmp_path / "a.jsonl", [PAIR, {"messages": [{"role": "assistant", "content": "A"}]}])
    (problem,) = read_row_set(tmp_path / "a.jsonl").problems
    assert (problem.row, problem.key) == (2, "messages")
    assert problem.message == "nothing is asked before the answer"


def test_rows_that_are_both_trained_and_measured_are_named() -> None:
    from finewright.data.gather import leaks
    from finewright.schema.rows import Row

    rows = [Row(str(i), (), None, "test.jsonl", i) for i in range(1, 5)]
    (found,) = leaks(rows[1:3], "test", rows)
    assert (found.level, found.file, found.row) == ("warning", "test.jsonl", 2)
    assert found.message == "2 of 4 rows of test are also trained on, this one first"
    assert leaks(rows[:2], "test", rows[2:]) == []
