"""Scores are counted again from the recorded answers, and a figure that they do not give is named."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from finewright.evaluate.recount import Recount, recount_folder
from finewright.schema.evaluate import EvaluateReport, EvaluateSpec, Sample

KEPT = Path(__file__).parents[1] / "golden" / "kept" / "2026-11-27-tiny-293e" / "evaluate"
SPEC = EvaluateSpec()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A real run's measurement: four systems, eight rows, two metrics, three differences of each."""
    return Path(shutil.copytree(KEPT, tmp_path / "evaluate"))


def changed(folder: Path, *keys: Any, value: object) -> Recount:
    """Counted again after one value of the report was changed."""
    path = folder / "report.json"
    whole = part = json.loads(path.read_text())
    for key in keys[:-1]:
        part = part[key]
    assert part[keys[-1]] != value
    part[keys[-1]] = value
    path.write_text(json.dumps(whole))
    return recount_folder(folder, SPEC)


def said(found: Recount) -> str:
    return "\n".join(problem.line() for problem in found.problems)


def test_what_a_run_recorded_is_what_its_answers_give(folder: Path) -> None:
    assert recount_folder(folder, SPEC) == Recount(14, [])


@pytest.mark.parametrize(
    ("keys", "value", "where"),
    [
        (("scores", 5, "value"), 0.51, "token_f1 of tuned, test: 0.5100"),
        (("scores", 5, "value"), 0.500001, "token_f1 of tuned"),
        (("scores", 5, "low"), 0.45, "token_f1 of tuned"),
        (("scores", 5, "n"), 800, "token_f1 of tuned"),
        (("differences", 1, "value"), 0.6, "token_f1 of tuned against base, test"),
        (("differences", 1, "p_value"), 0.9, "token_f1 of tuned against base"),
        (("differences", 0, "p_value"), 0.01, "exact_match of tuned against base"),
        (("scores", 5, "data"), "other", "no rows to score"),
        (("differences", 0, "against"), "nobody", "no answers that give it"),
    ],
)
def test_an_edited_figure_is_found(
    keys: tuple[Any, ...], value: object, where: str, folder: Path
) -> None:
    found = changed(folder, *keys, value=value)
    assert {problem.level for problem in found.problems} == {"error"}
    assert where in said(found)


def test_edited_scores_of_rows_are_found_however_well_the_report_fits(folder: Path) -> None:
    path = folder / "samples.jsonl"
    samples = [Sample.model_validate_json(line) for line in path.read_text().splitlines()]
    better = [
        s.model_copy(update={"scores": {"exact_match": 1.0, "token_f1": 1.0}})
        if s.system == "tuned"
        else s
        for s in samples
    ]
    path.write_text("".join(s.model_dump_json() + "\n" for s in better))
    report = EvaluateReport.model_validate_json((folder / "report.json").read_text())
    scores = [
        s.model_copy(update={"value": 1.0, "low": 0.68, "high": 1.0}) if s.system == "tuned" else s
        for s in report.scores
    ]
    text = report.model_copy(update={"scores": tuple(scores)}).model_dump_json()
    (folder / "report.json").write_text(text)
    found = said(recount_folder(folder, SPEC))
    assert "samples.jsonl: row 1 of tuned, test: says" in found
    assert "exact_match of tuned, test: 1.0000" in found


@pytest.mark.parametrize("harm", ["gone", "cut", "short"])
def test_without_all_answers_there_is_no_figure(harm: str, folder: Path) -> None:
    path = folder / "samples.jsonl"
    lines = path.read_text().splitlines()
    if harm == "gone":
        path.unlink()
    else:
        path.write_text("\n".join(lines[:-1]) if harm == "short" else path.read_text()[:-9])
    assert any(problem.level == "error" for problem in recount_folder(folder, SPEC).problems)


def test_what_cannot_be_counted_is_said(folder: Path) -> None:
    found = changed(folder, "scores", 5, "metric", value="of_another_package")
    assert "cannot be checked: of_another_package: its package is not installed" in said(found)


def test_a_score_that_was_left_out_and_a_report_that_is_none_are_named(folder: Path) -> None:
    assert "token_f1 of tuned, test: was measured and is left out" in said(
        changed(folder, "scores", value=[])
    )
    (folder / "report.json").write_text("[]")
    (problem,) = recount_folder(folder, SPEC).problems
    assert (problem.level, problem.file) == ("error", "report.json")
