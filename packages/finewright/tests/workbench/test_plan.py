"""`plan` shows rows as the model sees them, each under the line that it stands on."""

import json
from pathlib import Path

import pytest

from finewright.lm import runtime
from finewright.report.layouts import page_of
from finewright.report.text import as_text
from finewright.schema.load import load_spec
from finewright.schema.plan import PlanReport
from finewright.workbench.plan import plan

SPEC = """\
name: sums
base_models: [{base}]
data: {{sources: [{{path: rows.jsonl}}], eval_fraction: 0.0}}
train: {{epochs: 1}}
"""


def test_a_row_that_is_there_twice_is_shown_at_both_of_its_lines(
    tmp_path: Path, tiny_folder: Path
) -> None:
    (tmp_path / "spec.yaml").write_text(SPEC.format(base=tiny_folder))
    rows = [{"prompt": q, "completion": a} for q, a in (("one", "1"), ("two", "2"), ("one", "1"))]
    (tmp_path / "rows.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    (candidate,) = plan(load_spec(tmp_path / "spec.yaml")).candidates
    assert [view.row for view in candidate.preview] == [1, 2, 3]
    assert ["one" in view.pieces[0][1] for view in candidate.preview] == [True, False, True]


def test_a_leak_is_told_where_personal_data_are_replaced(tmp_path: Path, tiny_folder: Path) -> None:
    spec = SPEC.replace("eval_fraction: 0.0", "personal_data: {{action: redact}}")
    spec += "evaluate: {{data: [{{path: rows.jsonl, name: again}}]}}\n"
    (tmp_path / "spec.yaml").write_text(spec.format(base=tiny_folder))
    row = {"prompt": "What does ana@mail.example owe?", "completion": "Nothing"}
    (tmp_path / "rows.jsonl").write_text(json.dumps(row))
    report = plan(load_spec(tmp_path / "spec.yaml"))
    told = [p.message for p in report.problems if "trained on" in p.message]
    assert [message.partition(",")[0] for message in told] == [
        "1 of 1 rows of again are also trained on"
    ]


def test_where_preferences_are_weighed_no_length_of_answers_is_told(
    tmp_path: Path, tiny_folder: Path
) -> None:
    spec = SPEC.replace("epochs: 1", "epochs: 1, method: dpo").format(base=tiny_folder)
    spec += "evaluate: {data: [{path: rows.jsonl}], metrics: [preference_accuracy]}\n"
    (tmp_path / "spec.yaml").write_text(spec)
    (tmp_path / "rows.jsonl").write_text('{"prompt": "one", "chosen": "1", "rejected": "2"}\n')
    report = plan(load_spec(tmp_path / "spec.yaml"))
    assert report.max_new_tokens is None
    assert "answers have up to" not in as_text(page_of(report))


def labelled(tmp_path: Path, tiny_folder: Path, most: int, train: str = "epochs: 1") -> PlanReport:
    spec = SPEC.replace("epochs: 1", train).format(base=tiny_folder)
    spec += f"evaluate: {{data: [{{path: rows.jsonl, name: again}}], max_new_tokens: {most}}}\n"
    (tmp_path / "spec.yaml").write_text(spec)
    rows = [{"prompt": f"q{i}", "completion": "yes" if i % 2 else "no"} for i in range(20)]
    (tmp_path / "rows.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return plan(load_spec(tmp_path / "spec.yaml"))


def test_what_long_answers_cost_is_told_where_the_answers_are_labels(
    tmp_path: Path, tiny_folder: Path
) -> None:
    (candidate,) = labelled(tmp_path, tiny_folder, 200).candidates
    (told,) = [p for p in candidate.problems if p.key == "evaluate.max_new_tokens"]
    assert "up to 4,000 tokens for 20 rows" in told.message  # 20 x 200
    longest = int(told.message.partition(" labels has ")[2].partition(" ")[0])
    assert f"where {20 * longest} would do" in told.message
    (candidate,) = labelled(tmp_path, tiny_folder, longest).candidates
    assert not [p for p in candidate.problems if p.key == "evaluate.max_new_tokens"]


def of_objects(folder: Path, base: Path, most: int, *last: str) -> PlanReport:
    """A plan of rows whose answers are JSON objects of one key, but for the `last`."""
    spec = SPEC.format(base=base)
    spec += f"evaluate: {{data: [{{path: rows.jsonl, name: again}}], max_new_tokens: {most}}}\n"
    (folder / "spec.yaml").write_text(spec)
    answers = [*(json.dumps({"n": i}) for i in range(30)), *last]
    rows = [{"prompt": f"q{i}", "completion": answer} for i, answer in enumerate(answers)]
    (folder / "rows.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return plan(load_spec(folder / "spec.yaml"))


def test_answers_that_cannot_be_given_in_max_new_tokens_are_counted(
    tmp_path: Path, tiny_folder: Path
) -> None:
    words = json.dumps({"n": " ".join(["seven"] * 40)})
    problems = of_objects(tmp_path, tiny_folder, 30, words).candidates[0].problems
    (told,) = [p for p in problems if p.key == "evaluate.max_new_tokens"]
    assert told.message.startswith("1 of 31 expected answers are longer than 30 tokens")
    assert (told.level, told.row) == ("warning", 31)
    enough = int(told.hint.rpartition(" ")[2])  # the hint as it is
    problems = of_objects(tmp_path, tiny_folder, enough, words).candidates[0].problems
    assert not [p for p in problems if p.key == "evaluate.max_new_tokens"]
    problems = of_objects(tmp_path, tiny_folder, enough - 2, words).candidates[0].problems
    assert [p for p in problems if p.key == "evaluate.max_new_tokens"]


def test_an_answer_that_is_no_object_among_objects_is_named_before_the_training(
    tmp_path: Path, tiny_folder: Path
) -> None:
    assert "base + schema" in of_objects(tmp_path, tiny_folder, 30).systems
    report = of_objects(tmp_path, tiny_folder, 30, '{"n": 30')
    assert report.systems == ("base", "tuned")
    (told,) = [p for p in report.problems if "no JSON objects" in p.message]
    assert (told.level, told.row) == ("warning", 31)


def test_auto_threads_are_the_free_cores_and_the_lock_says_why(
    tmp_path: Path, tiny_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runtime, "physical_cores", lambda: 4)
    monkeypatch.setattr(runtime, "cores_others_use", lambda: 2.9)
    monkeypatch.setattr("os.cpu_count", lambda: 4)
    report = labelled(tmp_path, tiny_folder, 8, "epochs: 1, threads: auto")
    (candidate,) = report.candidates
    assert candidate.train.threads == 1
    key = f"candidates.{candidate.base_model}.threads"
    assert report.reasons[key] == "of 4 cores, as other programs kept 2.9 busy at the start"
    (fixed,) = labelled(tmp_path, tiny_folder, 8).candidates
    assert fixed.train.threads == 4
