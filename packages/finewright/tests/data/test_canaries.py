"""Canaries are made by the seed alone, train as often as they say, and are in nothing that measures."""

import json
from collections import Counter
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from by_hand import context_of, run_in, spec_of
from finewright.data.canaries import (
    canary_row,
    collisions,
    make_canaries,
    place_canaries,
    read_canaries,
)
from finewright.data.gather import gather
from finewright.data.provenance.verify import verify_chain
from finewright.data.stage import run
from finewright.errors import DataError
from finewright.rows.identity import renew_id
from finewright.schema.canaries import CanariesSpec
from finewright.schema.data import DataReport, DataSpec
from finewright.schema.rows import Row, parse_rows
from finewright.workbench.coherence import incoherent

SPEC = CanariesSpec(count=24)


def row(asked: str, said: str, **fields: Any) -> Row:
    turns = ({"role": "user", "content": asked}, {"role": "assistant", "content": said})
    return renew_id(Row("", turns, None, "rows.jsonl", 1, **fields))


ROWS = [row(f"Q{i}", f"A{i}") for i in range(50)]


def test_the_seed_alone_says_which_secrets_there_are() -> None:
    made = make_canaries(SPEC)
    assert made == make_canaries(SPEC)
    assert len({each.secret for each in made}) == len({each.prompt for each in made}) == 24
    others = make_canaries(SPEC.model_copy(update={"seed": 1}))
    assert not {each.secret for each in made} & {each.secret for each in others}
    assert make_canaries(CanariesSpec()) == ()


def test_each_coin_is_fair_and_repeats_are_dealt_in_turn() -> None:
    made = make_canaries(CanariesSpec(count=4000, repeats=(1, 4, 10)))
    coins = [each.is_in for each in made]
    assert abs(sum(coins) - 2000) < 4 * 4000**0.5 / 2  # four standard deviations
    switches = sum(a != b for a, b in pairwise(coins))
    assert abs(switches - 2000) < 4 * 4000**0.5 / 2  # a coin does not know the one before
    often = Counter(each.repeats for each in made if each.is_in)
    assert set(often) == {1, 4, 10}
    assert max(often.values()) - min(often.values()) <= 1


def test_each_canary_trains_as_often_as_it_says_and_other_rows_keep_their_order() -> None:
    made = make_canaries(SPEC)
    placed = place_canaries(made, ROWS, [], seed=0)
    others = [each for each in placed.rows if each.file == "rows.jsonl"]
    assert others == ROWS
    often = Counter(each.messages[1]["content"] for each in placed.rows if each not in ROWS)
    assert often == {each.answer: each.repeats for each in made if each.is_in}
    [said] = placed.problems
    assert said.level == "info"
    assert said.message.startswith(f"{sum(often.values())} of {len(placed.rows)} training rows")
    assert placed.rows[:50] != tuple(ROWS)  # they are among the others, not behind them


@pytest.mark.parametrize(
    ("fields", "kind"),
    [({}, "conversation"), ({"label": False}, "rated"), ({"rejected": ROWS[0].messages}, "pair")],
)
def test_a_canary_has_the_kind_of_the_rows(fields: dict[str, Any], kind: str) -> None:
    rows = [row(f"Q{i}", "A", **fields) for i in range(9)]
    placed = place_canaries(make_canaries(SPEC), rows, [], seed=0)
    assert {each.kind for each in placed.rows} == {kind}
    liked = {each.label for each in placed.rows if each.file != "rows.jsonl"}
    assert liked == ({True} if kind == "rated" else {None})


def test_canaries_are_asked_under_the_system_prompt_of_all_rows() -> None:
    turn = {"role": "system", "content": "Be brief."}
    rows = [replace(each, messages=(turn, *each.messages)) for each in ROWS]
    placed = place_canaries(make_canaries(SPEC), rows, [], seed=0)
    assert {each.messages[0]["content"] for each in placed.rows} == {"Be brief."}
    assert canary_row(placed.canaries[0]).messages[0] == turn
    mixed = place_canaries(make_canaries(SPEC), [*ROWS, *rows], [], seed=0)
    assert {each.system for each in mixed.canaries} == {""}


def test_rows_that_say_what_a_canary_says_are_refused() -> None:
    first, second, third, *_ = make_canaries(SPEC)
    telling = [
        row(first.prompt, "I do not know."),
        row("Q", f"Call {second.secret.replace('-', '')} today."),
        row("Q", f"see {third.secret}, please"),
    ]
    near = [row("Q", f"1{second.secret}2"), row("Q", "What is the access code?")]
    found = list(collisions(make_canaries(SPEC), [*near, *telling]))
    numbers = [problem.message.split(" says,")[0] for problem in found]
    assert numbers == [f"this row says what canary {i}" for i in (1, 2, 3)]
    placed = place_canaries(make_canaries(SPEC), ROWS, telling[:1], seed=0)
    assert [problem.level for problem in placed.problems] == ["error"]
    assert placed.rows == tuple(ROWS)


def test_coins_that_all_fall_alike_are_refused() -> None:
    made = [each.model_copy(update={"repeats": 0}) for each in make_canaries(SPEC)]
    placed = place_canaries(made, ROWS, [], seed=0)
    assert [problem.key for problem in placed.problems] == ["data.canaries.seed"]
    assert placed.rows == tuple(ROWS)


def test_prompts_alone_take_no_canaries() -> None:
    asked = ({"role": "user", "content": "Q"},)
    placed = place_canaries(make_canaries(SPEC), [Row("1", asked, None, "f", 1)], [], seed=0)
    assert [problem.key for problem in placed.problems] == ["data.canaries.count"]
    spec = spec_of(
        data={"sources": [{"path": "r"}], "canaries": {"count": 24}},
        train={"method": "grpo", "rewards": ["exact"]},
    )
    assert [p.message.split(" teaches")[0] for p in incoherent(spec)] == ["grpo"]


@pytest.mark.parametrize(
    ("fields", "says"),
    [({"count": 4}, "take at least 12"), ({"count": 12, "repeats": [0]}, "take 1 or more")],
)
def test_canaries_that_would_say_nothing_are_refused(fields: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        CanariesSpec.model_validate(fields)


def test_the_run_records_which_are_in_and_no_set_that_measures_has_one(tmp_path: Path) -> None:
    lines = [json.dumps({"prompt": f"Q{i}", "completion": f"A{i}"}) + "\n" for i in range(60)]
    (tmp_path / "rows.jsonl").write_text("".join(lines))
    data = {
        "sources": [{"path": "rows.jsonl"}],
        "eval_fraction": 0.2,
        "duplicates": {"exact": "drop"},
        "canaries": {"count": 24},
    }
    made = context_of(tmp_path, run_in(tmp_path), spec_of(data=data))
    result = run(made)
    root = made.run.root
    (root / "data" / "report.json").write_text(result.report.model_dump_json())
    canaries = read_canaries(made.run)
    assert canaries == make_canaries(SPEC)
    assert isinstance(result.report, DataReport)
    assert result.report.canaries is not None
    often = Counter(row.messages[1]["content"] for row in _rows(root, "train"))
    for each in canaries:
        assert often[each.answer] == each.repeats
    for name in ("eval", "evaluate/eval"):
        assert not any("access code" in row.messages[0]["content"] for row in _rows(root, name))
    assert "training rows are canaries" in (root / "data/card.md").read_text()
    assert [p.message for p in verify_chain(made.run, lambda name: tmp_path / name)] == []


def _rows(root: Path, name: str) -> list[Row]:
    return parse_rows((root / f"data/{name}.jsonl").read_text())


def test_a_run_without_canaries_says_how_to_have_some(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no canaries were put") as error:
        read_canaries(run_in(tmp_path))
    assert "data.canaries.count" in (error.value.hint or "")


def test_a_set_that_measures_and_holds_a_canary_is_refused(tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_text('{"prompt": "Q", "completion": "A"}\n')
    first = canary_row(make_canaries(SPEC)[0])
    asked, said = (turn["content"] for turn in first.messages)
    (tmp_path / "test.jsonl").write_text(json.dumps({"prompt": asked, "completion": said}) + "\n")
    data = {"sources": [{"path": "rows.jsonl"}], "canaries": {"count": 24}}
    spec = spec_of(data=data, evaluate={"data": [{"path": "test.jsonl"}]})
    with pytest.raises(DataError, match="says what canary 1 says"):
        run(context_of(tmp_path, run_in(tmp_path), spec))
    sources = DataSpec.model_validate(data)
    assert len(gather(sources, lambda name: tmp_path / name).train) > 1
