"""`evaluate` of a run compares with what the run's training rows tell, as the run's own card does."""

import json
from pathlib import Path

import pytest

import tiny
from finewright.data.gather import read_row_set
from finewright.evaluate.measured import RowSet
from finewright.schema.data import DataSpec
from finewright.schema.load import load_spec
from finewright.schema.rows import Row
from finewright.workbench.evaluate import evaluate, spec_of
from finewright.workbench.trained_rows import TrainedRows
from finewright.workbench.up import up

pytestmark = pytest.mark.torch

WORDS = {"fee": "charged", "lost": "gone"}
SPEC = """\
name: labels
base_models: [./llama]
data: {sources: [{path: rows.jsonl, license: CC0-1.0, owner: us}], eval_fraction: 0.2}
train:
  {max_steps: 1, batch_size: 2, threads: 1, prove_elsewhere: false, adapter: {type: lora, r: 2}}
evaluate: {max_new_tokens: 2, compare_with: []}
"""


def put(path: Path, said: str, numbers: range) -> None:
    rows = [
        {"prompt": f"{said} {word} {number}", "completion": label}
        for number in numbers
        for label, word in WORDS.items()
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def test_a_runs_labels_and_repeats_are_told_of_any_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    tiny.tiny_model("llama").save_pretrained("llama")
    tiny.tiny_tokenizer().save_pretrained("llama")
    put(Path("rows.jsonl"), "my card was", range(12))
    put(Path("known.jsonl"), "my card was", range(50, 53))
    put(Path("new.jsonl"), "the whole account is", range(3))
    Path("spec.yaml").write_text(SPEC)
    run = up(load_spec(Path("spec.yaml")), Path("runs"), on_event=lambda *_: None).summary.run
    asked = spec_of(["known.jsonl", "new.jsonl"], ["exact_match"], {}, max_new_tokens=2, seed=0)
    report = evaluate([run, "./llama"], asked, Path("samples.jsonl"))
    name = report.scores[0].system
    systems = list(dict.fromkeys(score.system for score in report.scores))
    assert systems[0] == name
    assert systems[2] == f"{systems[1]} + labels"
    assert systems[3:] == ["bag of words"]
    of_words = [score.value for score in report.scores if score.system == "bag of words"]
    assert of_words == [1.0, 1.0]
    assert {(s.system, s.n) for s in report.strays} == {(system, 6) for system in systems}
    assert [(p.data, p.kind, p.rows) for p in report.parts] == [
        ("known", "repeated", 6),
        ("known", "new", 0),
        ("new", "repeated", 0),
        ("new", "new", 6),
    ]
    alone = evaluate(["./llama"], asked, Path("alone.jsonl"))
    assert {score.system for score in alone.scores} == {systems[1]}
    assert alone.parts == ()


def test_a_row_is_known_though_training_had_stand_ins_of_its_person(tmp_path: Path) -> None:
    def said(person: str) -> tuple[Row, ...]:
        mail = f"Please block my card, I left it in a taxi.\nMany thanks!\n{person}"
        (tmp_path / "rows.jsonl").write_text(json.dumps({"prompt": mail, "completion": "cards"}))
        return read_row_set(tmp_path / "rows.jsonl").rows

    held_out = RowSet("held", said("Anna Keller\nanna.keller7@mail.example"))
    stand_ins, source = said("Lise Murray\npiotr.gross17511@post.example"), {"path": "rows.jsonl"}
    for action, known in (("report", {"held": ()}), ("pseudonymise", {"held": (0,)})):
        personal = {"action": action, "types": ["name", "email"]}
        data = DataSpec.model_validate({"sources": [source], "personal_data": personal})
        assert TrainedRows(stand_ins, None, data).find_repeated([held_out]) == known
