"""The board: what score cards and experiments say, in one table, of folders that are as they were."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import tiny
import tiny_run
from finewright.errors import FinewrightError
from finewright.schema.load import load_spec
from finewright.workbench.up import up
from finewright_advice.board.read import read_board
from finewright_advice.board.report import BoardReport, board_page

KEPT = Path(__file__).parents[3] / "finewright" / "tests" / "golden" / "kept"
RUN, EXPERIMENT = KEPT / "2026-11-27-tiny-293e", KEPT / "measure-fees-7133067a"


@pytest.fixture
def experiment(tmp_path: Path) -> Path:
    """A kept experiment, with a run in the place of each training."""
    folder = tmp_path / EXPERIMENT.name
    shutil.copytree(EXPERIMENT, folder)
    for arm in read_json(folder / "report.json")["arms"]:
        if arm["training"]:
            shutil.copytree(RUN, folder / arm["training"]["run"])
    return folder


def read_json(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


def cells_of(report: BoardReport) -> Iterator[tuple[str, str, str, float, float, float, int]]:
    for row in report.rows:
        for system, score in row.scores.items():
            yield row.data, row.metric, system, score.value, score.low, score.high, row.n


def test_a_runs_scores_are_those_of_its_card() -> None:
    report = read_board([RUN])
    want = [
        tuple(each[key] for key in ("data", "metric", "system", "value", "low", "high", "n"))
        for each in read_json(RUN / "evaluate" / "report.json")["scores"]
    ]
    assert sorted(cells_of(report)) == sorted(want)
    assert report.systems == ("base", "base + labels", "bag of words", "tuned")
    (training,) = report.trainings
    assert (training.licenses, training.copyleft, training.seed) == ({"CC0-1.0": 32}, (), 0)
    seconds = read_json(RUN / "train" / "report.json")["candidates"][0]["seconds"]
    assert training.minutes == pytest.approx(seconds / 60)


def test_an_experiments_options_have_the_names_of_score_cards(experiment: Path) -> None:
    report = read_board([RUN, experiment])
    kept = read_json(EXPERIMENT / "report.json")
    solved = {arm["arm"]: arm["solved"]["value"] for arm in kept["arms"]}
    (row,) = [each for each in report.rows if each.metric == kept["solved_by"]]
    found = {system: score.value for system, score in row.scores.items()}
    names = {"0-shot": "base", "k-shot": "base + examples", "rag": "base + passages"}
    names |= {"ft": "tuned", "rag+ft": "tuned + passages"}
    assert found == {names[arm]: value for arm, value in solved.items()}
    assert len(report.trainings) == 1 + sum(1 for arm in kept["arms"] if arm["training"])
    page = board_page(report)
    assert page.title.startswith("2 tasks")


@pytest.mark.torch
def test_systems_of_several_base_models_are_rows_of_their_own(tmp_path: Path) -> None:
    tiny_run.trained(tmp_path, "{type: lora, r: 2}")
    tiny.tiny_model("llama", seed=1).bfloat16().save_pretrained(tmp_path / "base two")
    tiny.tiny_tokenizer().save_pretrained(tmp_path / "base two")
    shutil.copy(KEPT.parent / "inputs" / "rows.jsonl", tmp_path)
    text = (tmp_path / "spec.yaml").read_text().replace("[./base]", "[./base, ./base two]")
    (tmp_path / "spec.yaml").write_text(text.replace("[token_f1]", "[exact_match]"))
    ran = up(load_spec(tmp_path / "spec.yaml"), tmp_path / "runs", on_event=tiny_run.nothing)
    report = read_board([Path(ran.summary.run)])
    assert {row.base_model for row in report.rows} == {"./base", "./base two"}
    assert all({"base", "bag of words", "tuned"} <= row.scores.keys() for row in report.rows)
    assert len(report.trainings) == 2


def test_rows_under_the_gpl_are_flagged(tmp_path: Path) -> None:
    report = read_board([RUN])
    (training,) = report.trainings
    gpl = training.model_copy(
        update={"licenses": {"GPL-3.0-only": 4}, "copyleft": ("GPL-3.0-only",)}
    )
    page = board_page(report.model_copy(update={"trainings": (gpl,)}))
    assert page.answer == "trained on rows under copyleft licences: GPL-3.0-only"


def test_a_changed_run_has_no_place(tmp_path: Path) -> None:
    shutil.copytree(RUN, tmp_path / "run")
    path = tmp_path / "run" / "evaluate" / "report.json"
    path.write_text(path.read_text().replace('"value": 0.5', '"value": 0.9'))
    with pytest.raises(FinewrightError, match=r"evaluate/report\.json"):
        read_board([tmp_path / "run"])


def test_what_is_no_measured_folder_is_refused(tmp_path: Path, experiment: Path) -> None:
    refused: list[tuple[list[Path], str]] = [
        ([tmp_path], "is no run folder"),
        ([RUN, RUN / "."], "is named twice"),
        ([KEPT / "bakeoff-tiny-bd1c3c48"], "is no run folder"),
        ([EXPERIMENT], "no such run folder"),
    ]
    for folders, why in refused:
        with pytest.raises(FinewrightError, match=why):
            read_board(folders)
    (experiment / "report.json").unlink()
    with pytest.raises(FinewrightError, match="has not finished"):
        read_board([experiment])


def test_intervals_at_different_levels_do_not_compare(experiment: Path) -> None:
    path = experiment / "report.json"
    path.write_text(json.dumps(read_json(path) | {"confidence": 0.9}))
    with pytest.raises(FinewrightError, match="different levels"):
        read_board([RUN, experiment])
