"""A change against the run that it came from."""

import json
import random
from pathlib import Path
from typing import Any

import pytest

from cli.conftest import Finewright
from finewright.evaluate.score import ScoreOptions
from finewright.judge.statistics import mcnemar
from finewright.schema.evaluate import Sample
from finewright_trust.release.compared import ALL, ComparedPart, compare_answers

OPTIONS = ScoreOptions(0.95, 1000, 0)


def samples(right: list[bool], data: str = "a", **more: Any) -> list[Sample]:
    return [
        Sample(
            system="tuned",
            data=data,
            row=row,
            prompt="",
            expected="x",
            answer="x" if is_right else "y",
            stopped=True,
            scores={"exact_match": float(is_right)},
            **more,
        )
        for row, is_right in enumerate(right)
    ]


def compare(ours: list[Sample], theirs: list[Sample], margin: float = 0.05) -> list[ComparedPart]:
    return compare_answers(ours, theirs, ["exact_match", "perplexity"], OPTIONS, margin)


@pytest.mark.parametrize(("rows", "verdict"), [(58, "open"), (59, "no worse")])
def test_the_same_answers_are_as_good_from_the_rows_on_that_can_show_it(
    rows: int, verdict: str
) -> None:
    (found,) = compare(samples([True] * rows), samples([True] * rows))
    assert (found.part, found.verdict) == (ALL, verdict)
    assert ("59 rows could show it" in found.says) == (verdict == "open")


def test_a_loss_is_told_from_chance() -> None:
    (found,) = compare(samples([True] * 80 + [False] * 20), samples([True] * 100))
    assert (found.verdict, found.difference) == ("worse", pytest.approx(-0.2))
    (found,) = compare(samples([True] * 199 + [False]), samples([True] * 200))
    assert found.verdict == "no worse"


def test_a_part_that_is_worse_is_found_where_the_whole_is_not() -> None:
    ours = samples([True] * 400) + samples([True] * 4 + [False] * 8, "b")
    theirs = samples([True] * 390 + [False] * 10) + samples([True] * 12, "b")
    whole, a, b = compare(ours, theirs)
    assert [whole.verdict, a.verdict, b.verdict] == ["no worse", "no worse", "worse"]
    assert b.p_value == pytest.approx(mcnemar(0, 8))
    half = compare(samples([True] * 400) + ours[400:408], theirs[:400] + theirs[400:408])
    assert half[2].verdict == "no worse", "4 of 8 rows may be chance: p 0.125"


def test_rows_that_trained_hide_none_that_did_not() -> None:
    seen = samples([True] * 300, repeated=True)
    ours = seen + samples([False] * 9 + [True] * 3, repeated=False)
    theirs = seen + samples([True] * 12, repeated=False)
    whole, new = compare(ours, theirs)
    assert (whole.part, new.part) == (ALL, "a, new rows")
    assert new.verdict == "worse"


def test_random_answers_are_seldom_blamed() -> None:
    """Of changes that change nothing but by chance, at most the share that was allowed is called worse."""
    blamed = 0
    for seed in range(60):
        rng = random.Random(seed)  # noqa: S311
        both = [
            [samples([rng.random() < 0.6 for _ in range(40)], data) for data in "abcd"]
            for _ in range(2)
        ]
        ours, theirs = ([s for part in side for s in part] for side in both)
        blamed += any(p.verdict == "worse" for p in compare(ours, theirs) if p.part != ALL)
    assert blamed <= 6


def test_a_run_is_as_good_as_itself_as_far_as_its_rows_can_show(
    run: Path, finewright: Finewright
) -> None:
    found = finewright("gate", "run", "--base", "run", "--markdown", "gate.md", "--json")
    assert found.code == 1, "four rows show nothing within 5 points"
    (part,) = json.loads(found.out)["parts"]
    assert (part["difference"], part["rows"], part["verdict"]) == (0.0, 4, "open")
    text = (run.parent / "gate.md").read_text()
    assert "| all rows | token\\_f1 | 4 |" in text
    assert text.startswith("**red: token_f1 of all rows**")
    assert finewright("gate", "run", "--base", "run", "--margin", "0.9").code == 0


def test_a_base_without_answers_says_which_command_makes_them(
    run: Path, finewright: Finewright
) -> None:
    (run / "evaluate" / "report.json").unlink()
    found = finewright("gate", "run", "--base", "run")
    assert (found.code, found.out) == (2, "")
    assert "finewright up run goes on with it" in found.err
