"""What the quickstart shows: held-out questions with the answers before and after, each set in turn."""

import json
from pathlib import Path

from finewright.evaluate.score import check_metrics
from finewright.schema.load import load_spec
from finewright.store.rundir import RunDir
from finewright.workbench.quickstart import _COMPLY, _RELEASE, _SPEC, BASE_MODEL, replay


def sample(system: str, data: str, row: int) -> str:
    fields = {"prompt": f"{data}{row}", "expected": "E", "answer": f"{system}{row}"}
    return json.dumps({"system": system, "data": data, "row": row, **fields})


def run_with(folder: Path, sizes: dict[str, int]) -> RunDir:
    lines = [
        sample(system, data, row)
        for system in ("base", "tuned")
        for data, count in sizes.items()
        for row in range(1, count + 1)
    ]
    (folder / "evaluate").mkdir()
    (folder / "evaluate/samples.jsonl").write_text("\n".join(lines) + "\n")
    return RunDir(folder)


def test_the_sets_take_turns(tmp_path: Path) -> None:
    shown = replay(run_with(tmp_path, {"seen": 3, "unseen": 3}), 5)
    assert [answer.question for answer in shown] == [
        "seen1",
        "unseen1",
        "seen2",
        "unseen2",
        "seen3",
    ]
    assert [(a.before, a.after) for a in shown[:2]] == [("base1", "tuned1"), ("base1", "tuned1")]


def test_a_short_set_gives_all_it_has(tmp_path: Path) -> None:
    shown = replay(run_with(tmp_path, {"seen": 1, "unseen": 9}), 4)
    assert [answer.question for answer in shown] == ["seen1", "unseen1", "unseen2", "unseen3"]


def test_an_answer_with_another_separator_of_lines_is_one_answer(tmp_path: Path) -> None:
    run = run_with(tmp_path, {"seen": 1})
    path = run.root / "evaluate/samples.jsonl"
    path.write_text(path.read_text().replace("tuned1", "a\u2028b\u0085c"))
    assert [answer.after for answer in replay(run, 1)] == ["a\u2028b\u0085c"]


def test_the_spec_that_it_writes_is_valid(tmp_path: Path) -> None:
    numbers = {"path": "x", "base_model": BASE_MODEL, "minutes": 4.0}
    (tmp_path / "spec.yaml").write_text(_SPEC.format(**numbers) + _COMPLY + _RELEASE)
    spec = load_spec(tmp_path / "spec.yaml").spec
    assert spec.train.minutes == 4
    assert spec.base_models == (BASE_MODEL,)
    check_metrics(spec.evaluate.metrics)
