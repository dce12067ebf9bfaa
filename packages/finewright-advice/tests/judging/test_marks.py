"""Agreement is scikit-learn's kappa, a corrected mean covers what people would give, a sheet is blind."""

import csv
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score

from finewright.errors import DataError
from finewright.schema.evaluate import BASE, LINEAR, TUNED, Sample
from finewright_advice.judging.marks import agreement_of, corrected_mean, read_marks, write_sheet
from finewright_advice.judging.tasks import LOST, MARKS, TIE, WON, Selection, Task, tasks_of


def sample(system: str, row: int, answer: str = "yes", data: str = "eval") -> Sample:
    return Sample(
        system=system,
        data=data,
        row=row,
        prompt=f"question {row}",
        expected="yes",
        answer=answer,
        stopped=True,
        scores={},
    )


@pytest.mark.parametrize(("options", "weights"), [(MARKS, "quadratic"), ((LOST, TIE, WON), None)])
def test_kappa_is_scikit_learns(options: tuple[str, ...], weights: str | None) -> None:
    rng = np.random.default_rng(3)
    ours = [str(each) for each in rng.choice(options, 90)]
    theirs = [o if rng.random() < 0.6 else str(rng.choice(options)) for o in ours]
    ids = [f"{i}" for i in range(90)]
    marks = dict(zip(ids, theirs, strict=True))
    found = agreement_of(dict(zip(ids, ours, strict=True)), marks, seed=0)
    assert found is not None
    order = list(options)
    want = cohen_kappa_score(
        [order.index(o) for o in ours], [order.index(t) for t in theirs], weights=weights
    )
    assert found.kappa == pytest.approx(want)
    assert found.low < found.kappa < found.high
    assert found.same == pytest.approx(np.mean([a == b for a, b in zip(ours, theirs, strict=True)]))


def test_marks_that_are_all_alike_tell_no_agreement() -> None:
    alike = {f"{i}": "3" for i in range(40)}
    assert agreement_of(alike, alike, seed=0) is None
    assert agreement_of({"a": "3"}, {}, seed=0) is None


def test_the_corrected_mean_covers_what_people_would_give() -> None:
    rng, covered = np.random.default_rng(0), 0
    for _ in range(200):
        truth = rng.integers(0, 5, 400) / 4
        judged = np.clip(truth + 0.2 + rng.normal(0, 0.1, 400), 0, 1)  # a judge that is too kind
        by_id = {f"{i}": float(each) for i, each in enumerate(judged)}
        marked = rng.choice(400, 60, replace=False)
        found = corrected_mean(by_id, {f"{i}": float(truth[i]) for i in marked})
        assert found is not None
        covered += found[1].low <= truth.mean() <= found[1].high
        assert not found[1].low <= judged.mean() <= found[1].high
    assert covered >= 180  # 95 % of 200 is 190, with a standard deviation of 3
    assert corrected_mean({"a": 0.5}, {"a": 0.5}) is None


def tasks(against: str = "") -> list[Task]:
    samples = [
        sample(name, row, f"{name} {row}") for name in ("base", "tuned") for row in range(40)
    ]
    return tasks_of(samples, Selection(against=against, systems=("tuned",)))


def test_a_sheet_is_blind_and_comes_back_with_its_marks(tmp_path: Path) -> None:
    paired = tasks("base")
    write_sheet(paired, tmp_path / "sheet.csv")
    rows = list(csv.DictReader((tmp_path / "sheet.csv").read_text().splitlines()))
    assert sum(row["answer_a"].startswith("tuned") for row in rows) in range(8, 33)
    for row in rows:
        row["mark"] = "A" if row["answer_a"].startswith("tuned") else " b "
    rows[0]["mark"] = ""
    with (tmp_path / "filled.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    marks = read_marks(tmp_path / "filled.csv", paired)
    assert set(marks.values()) == {WON}
    assert len(marks) == 39


def test_a_cell_is_no_formula(tmp_path: Path) -> None:
    write_sheet([Task(sample("tuned", 1, '=HYPERLINK("x")'))], tmp_path / "sheet.csv")
    assert "'=HYPERLINK" in (tmp_path / "sheet.csv").read_text()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a,b\n1,2\n", "no column `id` and `mark`"),
        ("id,mark\nffff,3\n", "marks none of the answers"),
        ("id,mark\n{id},7\n", "filled.csv:2: '7' is no mark"),
    ],
)
def test_a_wrong_sheet_is_one_line(text: str, said: str, tmp_path: Path) -> None:
    mine = tasks()
    (tmp_path / "filled.csv").write_text(text.format(id=mine[0].id))
    with pytest.raises(DataError, match=r"filled\.csv") as caught:
        read_marks(tmp_path / "filled.csv", mine)
    assert said in str(caught.value)


def test_the_same_rows_of_each_system_are_drawn_by_the_seed() -> None:
    samples = [sample(name, row) for name in ("tuned", "base") for row in range(50)]
    drawn = tasks_of(samples, Selection(limit=10, seed=1))
    assert [t.sample.row for t in drawn if t.sample.system == "base"] == [
        t.sample.row for t in drawn if t.sample.system == "tuned"
    ]
    assert drawn != tasks_of(samples, Selection(limit=10, seed=2))
    with pytest.raises(DataError, match="basis: no such system") as caught:
        tasks_of(samples, Selection(systems=("basis",)))
    assert "base" in caught.value.hint
    with pytest.raises(DataError, match="answers to 2 sets"):
        tasks_of([*samples, sample("tuned", 0, data="other")], Selection())


def test_every_system_of_the_score_card_is_judged_on_the_same_rows() -> None:
    answered = {TUNED: range(6), BASE: range(6), LINEAR: range(1, 6)}
    samples = [sample(name, row) for name, rows in answered.items() for row in rows]
    tasks = tasks_of(samples, Selection())
    judged = [(task.sample.row, task.sample.system) for task in tasks]
    assert judged == [(row, name) for row in range(1, 6) for name in answered]
    duels = tasks_of(samples, Selection(against=BASE))
    assert {task.sample.system for task in duels} == {TUNED, LINEAR}
