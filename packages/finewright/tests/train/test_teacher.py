"""A run teaches another one, from the spec to the result; what cannot teach is refused in one line."""

import json
from pathlib import Path

import pytest

import tiny
from finewright.errors import FinewrightError
from finewright.schema.load import load_spec
from finewright.schema.train import TrainReport
from finewright.store.rundir import open_run
from finewright.store.speclock import lock_of
from finewright.workbench.plan import plan
from finewright.workbench.runs import verify
from finewright.workbench.up import up
from tiny_run import nothing, trained

pytestmark = pytest.mark.torch

SPEC = """\
name: student
base_models: [./base]
data: {{sources: [{{path: rows.jsonl, license: CC0-1.0, owner: us}}], eval_fraction: 0.25}}
train:
  method: {method}
  teacher: {teacher}
  adapter: {{r: 4, alpha: 8}}
  learning_rate: 1.0e-2
  batch_size: 4
  max_steps: 12
  threads: 1
  prove_elsewhere: false
"""


def spec_of(folder: Path, method: str, teacher: str) -> Path:
    path = folder / "student.yaml"
    path.write_text(SPEC.format(method=method, teacher=teacher), encoding="utf-8")
    return path


@pytest.mark.parametrize("more", ["distill", "gkd\n  max_new_tokens: 4\n  lmbda: 0.5"])
def test_a_run_teaches_and_its_digest_is_an_input(more: str, tmp_path: Path) -> None:
    teacher = trained(tmp_path, "{type: lora, r: 8}")
    path = spec_of(tmp_path, more, f"runs/{teacher.name}")
    report = up(load_spec(path), tmp_path / "runs", on_event=nothing, through="train")
    run = open_run(Path(report.summary.run))
    (candidate,) = run.read_report("train", TrainReport).candidates
    assert candidate.final_loss < candidate.first_loss
    assert candidate.eval_loss is not None
    assert len(lock_of(run).inputs["train.teacher"]) == 64
    files = {Path(artifact.path).name for artifact in candidate.artifacts}
    assert ("teacher.safetensors" in files) == (more == "distill")
    assert [p for p in verify(run.root).problems if p.level == "error"] == []


def test_a_teacher_of_another_tokenizer_is_refused_with_the_way_round(tmp_path: Path) -> None:
    trained(tmp_path, "{type: lora, r: 8}")
    other = tmp_path / "other"
    tiny.tiny_model("llama").save_pretrained(other)
    tiny.tiny_tokenizer().save_pretrained(other)
    file = other / "tokenizer.json"
    tokenizer = json.loads(file.read_text(encoding="utf-8"))
    vocab = tokenizer["model"]["vocab"]
    first, second = list(vocab)[10:12]
    vocab[first], vocab[second] = vocab[second], vocab[first]
    file.write_text(json.dumps(tokenizer), encoding="utf-8")
    path = spec_of(tmp_path, "distill", "./other")
    with pytest.raises(FinewrightError, match="another tokenizer") as refused:
        plan(load_spec(path))
    assert "--rows" in refused.value.hint


def test_a_teacher_that_is_not_there_is_refused_by_name(tmp_path: Path) -> None:
    trained(tmp_path, "{type: lora, r: 8}")
    with pytest.raises(FinewrightError, match="nowhere"):
        plan(load_spec(spec_of(tmp_path, "gkd", "./nowhere")))
