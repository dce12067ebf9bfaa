"""Every row that is read is kept or counted under the reason why not, and every problem is said."""

import hashlib
import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from finewright.data.contamination import contamination
from finewright.data.gather import Gathered, gather, measure_held_out_share, read_row_set
from finewright.errors import MissingExtra
from finewright.schema.common import Source
from finewright.schema.data import DataSpec
from finewright.schema.evaluate import EvalSetSpec
from finewright.schema.rows import Row

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


def test_nothing_of_a_source_that_is_held_out_trains(tmp_path: Path) -> None:
    write(tmp_path / "a.jsonl", pairs(40))
    write(tmp_path / "b.jsonl", pairs(3, start=100))
    found = gathered(tmp_path, "a.jsonl", {"path": "b.jsonl", "held_out": True})
    assert [len(found.train), len(found.eval)] == [40, 3]
    assert {Path(row.file).name for row in found.eval} == {"b.jsonl"}
    assert [entry.split for entry in found.entries()] == ["train"] * 40 + ["eval"] * 3
    both = gathered(tmp_path, "a.jsonl", {"path": "b.jsonl", "held_out": True}, eval_fraction=0.25)
    shared = gathered(tmp_path, "a.jsonl", eval_fraction=0.25)
    assert both.train == shared.train
    assert both.eval == (*shared.eval, *found.eval)


@pytest.mark.parametrize("group_by", ["", "person"])
def test_who_is_held_out_does_not_hang_on_stand_ins(tmp_path: Path, group_by: str) -> None:
    mails = [f"p{i // 2}@firm.example" for i in range(40)]
    write(tmp_path / "a.jsonl", [{"prompt": m, "completion": "A", "person": m} for m in mails])
    first, again = (
        gathered(
            tmp_path,
            "a.jsonl",
            personal_data={"action": "pseudonymise"},
            eval_fraction=0.4,
            group_by=group_by,
        )
        for _ in range(2)
    )
    assert [row.row for row in first.train] == [row.row for row in again.train]
    assert [row.row for row in first.eval] == [row.row for row in again.eval]
    # Word for word the same, written in two ways: on one side.
    assert not {(row.row - 1) // 2 for row in first.train} & {
        (row.row - 1) // 2 for row in first.eval
    }
    for found in (first, again):
        assert not any("firm" in str(row) for row in (*found.train, *found.eval))


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


def test_rows_are_read_by_ray_only_where_there_is_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "a.jsonl", pairs(2))
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MissingExtra, match="the engine `ray` needs Ray"):
        gathered(tmp_path, "a.jsonl", engine="ray")
    assert gathered(tmp_path, "a.jsonl", engine="local").counts.rows_kept == 2
    # Where there is nothing to read, that is what must be said.
    (problem,) = gathered(tmp_path, "gone.jsonl", engine="ray").problems
    assert problem.message == "there is no such file"


def test_a_share_that_holds_nothing_out_is_an_error(tmp_path: Path) -> None:
    write(tmp_path / "a.jsonl", [PAIR])
    (problem,) = gathered(tmp_path, "a.jsonl", eval_fraction=0.3).problems
    assert problem.line() == (
        "data.eval_fraction: none of the 1 rows fell into the held-out share "
        "(raise it, change data.shuffle_seed, or set it to 0)"
    )
    assert problem.level == "error"


@pytest.mark.parametrize(("limit", "count"), [(None, 3), (2, 2), (9, 3)])
def test_a_row_set_is_the_file_or_as_many_of_its_rows_in_their_order(
    limit: int | None, count: int, tmp_path: Path
) -> None:
    write(tmp_path / "a.jsonl", pairs(3))
    found = read_row_set(tmp_path / "a.jsonl", EvalSetSpec(path="a.jsonl", limit=limit))
    rows = [row.row for row in found.rows]
    assert len(rows) == count
    assert rows == sorted(rows)
    assert found.problems == ()


def test_a_manifest_says_how_the_rows_of_a_set_are_read(tmp_path: Path) -> None:
    write(tmp_path / "q.jsonl", [{"frage": "Q", "antwort": "A"}])
    columns = {"prompt": "frage", "response": "antwort"}
    manifest = {"one": {"file_name": "q.jsonl", "columns": columns}}
    (tmp_path / "dataset_info.json").write_text(json.dumps(manifest))
    found = read_row_set(tmp_path)
    assert found.problems == ()
    assert [turn["content"] for turn in found.rows[0].messages] == ["Q", "A"]


def test_a_row_set_needs_a_question_in_every_row(tmp_path: Path) -> None:
    write(tmp_path / "a.jsonl", [PAIR, {"messages": [{"role": "assistant", "content": "A"}]}])
    (problem,) = read_row_set(tmp_path / "a.jsonl").problems
    assert (problem.row, problem.key) == (2, "messages")
    assert problem.message == "nothing is asked before the answer"


USER = {"role": "user", "content": "Q"}
ANSWER = {"role": "assistant", "content": "A"}


def conversation(number: int) -> Row:
    return Row(str(number), (USER | {"content": f"{number}"}, ANSWER), None, "test.jsonl", number)


def test_rows_that_are_both_trained_and_measured_are_named() -> None:
    rows = [conversation(i) for i in range(1, 5)]
    # In words, as numbers would be other values of one template.
    rows = [
        replace(row, messages=(USER | {"content": text}, ANSWER))
        for row, text in zip(rows, ("one", "two", "three", "four"), strict=True)
    ]
    (found,) = contamination(rows[1:3], "test", rows).problems
    assert (found.level, found.file, found.row) == ("warning", "test.jsonl", 2)
    assert found.message.startswith("2 of 4 rows of test are also trained on, this one first")
    assert contamination(rows[:2], "test", rows[2:]).problems == ()


PAIR_ROW = {"prompt": "Q", "chosen": "A", "rejected": "B"}
OTHER_PAIR_ROW = {"prompt": "Q", "chosen": "C", "rejected": "B"}
LIKED = {"prompt": "Q", "completion": "A", "label": True}
PROMPT = {"prompt": "Q", "answer": "A"}


@pytest.mark.parametrize(
    ("trained", "measured"),
    [
        (PAIR_ROW, OTHER_PAIR_ROW),
        (PAIR_ROW, PAIR),
        (PAIR_ROW, LIKED),
        (PAIR_ROW, PROMPT),
        (PAIR, PAIR_ROW),
        (PAIR, PROMPT),
        (LIKED, PAIR),
        (PROMPT, PAIR),
        (PROMPT, PROMPT | {"answer": "B"}),
    ],
)
def test_a_question_that_is_trained_on_is_a_leak(
    trained: object, measured: object, tmp_path: Path
) -> None:
    write(tmp_path / "train.jsonl", [trained])
    write(tmp_path / "test.jsonl", [{"prompt": "other", "completion": "A"}, measured])
    train = gathered(tmp_path, "train.jsonl").train
    held_out = read_row_set(tmp_path / "test.jsonl").rows
    (found,) = contamination(train, "test", held_out).problems
    assert (found.level, found.row) == ("warning", 2)
    assert found.message.startswith(
        "1 of 2 rows of test ask what is also trained on, this one first"
    )


def test_pairs_of_one_prompt_are_held_out_together(tmp_path: Path) -> None:
    rows = [
        {"prompt": f"Q{i // 3}", "chosen": f"good {i}", "rejected": f"bad {i}"} for i in range(90)
    ]
    write(tmp_path / "a.jsonl", rows)
    found = gathered(tmp_path, "a.jsonl", eval_fraction=0.3)
    sides = [{row.messages[0]["content"] for row in side} for side in (found.train, found.eval)]
    assert sides[0] & sides[1] == set()
    assert len(sides[0] | sides[1]) == 30
    assert found.types == {"preference": 90}
    assert contamination(found.train, "eval", found.eval).problems == ()


@pytest.mark.parametrize(
    ("answer", "text"),
    [("A", "A"), ({"b": [1, "ü"]}, '{"b":[1,"ü"]}'), (42, "42"), (True, "true"), (0, "0")],
)
def test_the_answer_of_a_prompt_is_what_is_expected(
    answer: object, text: str, tmp_path: Path
) -> None:
    write(tmp_path / "a.jsonl", [{"prompt": [USER, ANSWER, USER], "answer": answer}])
    found = read_row_set(tmp_path / "a.jsonl")
    assert found.problems == ()
    (row,) = found.rows
    assert row.messages == (USER, ANSWER | {"weight": 0}, USER, ANSWER | {"content": text})
    assert row.columns == {"answer": answer}


@pytest.mark.parametrize("row", [{"prompt": "Q"}, {"prompt": "Q", "answer": None}])
def test_a_prompt_that_expects_nothing_is_an_error_when_it_measures(
    row: object, tmp_path: Path
) -> None:
    write(tmp_path / "a.jsonl", [PROMPT, row])
    (problem,) = read_row_set(tmp_path / "a.jsonl").problems
    assert problem.line().endswith(
        "a.jsonl:2: answer: nothing says which answer is expected (add an `answer`)"
    )
    assert problem.level == "error"


def test_a_row_set_ends_with_the_answer(tmp_path: Path) -> None:
    read_only = ANSWER | {"weight": 0}
    write(tmp_path / "a.jsonl", [{"messages": [USER, ANSWER, USER, read_only, USER]}])
    (row,) = read_row_set(tmp_path / "a.jsonl").rows
    assert row.messages == (USER, ANSWER)


def test_a_pair_expects_its_chosen_answer(tmp_path: Path) -> None:
    write(tmp_path / "a.jsonl", [PAIR_ROW])
    found = read_row_set(tmp_path / "a.jsonl")
    assert found.problems == ()
    assert found.rows[0].messages == (USER, ANSWER)


def test_disliked_answers_are_not_measured_and_counted(tmp_path: Path) -> None:
    write(tmp_path / "a.jsonl", [LIKED, LIKED | {"label": False}, PAIR_ROW])
    found = read_row_set(tmp_path / "a.jsonl")
    assert [row.row for row in found.rows] == [1, 3]
    (problem,) = found.problems
    assert (problem.level, problem.row, problem.key) == ("warning", 2, "label")
    assert problem.message.startswith("1 disliked answers are not measured")


def test_the_measured_share_counts_the_rows_that_expect_nothing(tmp_path: Path) -> None:
    write(tmp_path / "a.jsonl", [PROMPT, {"prompt": "R"}, LIKED | {"label": False}, PAIR])
    found = measure_held_out_share(gathered(tmp_path, "a.jsonl").train)
    assert [row.row for row in found.rows] == [1, 4]
    (problem,) = found.problems
    assert problem.line() == (
        "data.eval_fraction: 2 of 4 held-out rows are not measured: they do not say what answer is "
        "expected (name a file with the expected answers under evaluate.data)"
    )
