"""A whole private run of a tiny model: what it spends is shown, checked, and never spent twice."""

import json
import secrets
from pathlib import Path
from typing import Any

import pytest

import tiny
from finewright.errors import DataError, StageError
from finewright.report.layouts import page_of
from finewright.report.text import as_text
from finewright.schema.load import load_spec
from finewright.schema.train import Candidate, TrainReport
from finewright.store.rundir import open_run
from finewright.train.privacy import spending
from finewright.workbench.plan import plan
from finewright.workbench.runs import show, verify
from finewright.workbench.up import up

pytestmark = pytest.mark.torch

SPEC = """\
name: private
base_models: [./base]
data:
  sources: [{path: rows.jsonl, license: CC0-1.0, owner: us}]
  duplicates: {exact: drop, near: drop}
  canaries: {count: 16, repeats: [1]}
train:
  adapter: {type: lora, r: 4}
  privacy: {epsilon: 4, delta: 1.0e-3}
  learning_rate: 1.0e-2
  batch_size: 6
  max_steps: 5
  save_steps: 2
  threads: 1
  prove_elsewhere: false
"""
WORDS = (
    "amber",
    "birch",
    "cedar",
    "delta",
    "ember",
    "flint",
    "grove",
    "harbor",
    "iris",
    "jade",
    "kite",
    "lumen",
    "maple",
    "north",
    "ocean",
)
KEY = bytes(range(32))


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    tiny.tiny_model("llama").save_pretrained(tmp_path / "base")
    tiny.tiny_tokenizer().save_pretrained(tmp_path / "base")
    rows = [
        {"prompt": f"{a} {b}", "completion": f"{b} is not {a}", "who": f"u{n % 5}"}
        for n, (a, b) in enumerate(zip(WORDS * 2, WORDS[7:] + WORDS + WORDS, strict=False))
    ]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "spec.yaml").write_text(SPEC)
    monkeypatch.setattr(secrets, "token_bytes", lambda count: KEY[:count])
    return tmp_path


def train(project: Path, runs: str, *, cut_at: int = 0) -> Path:
    """Train, and fall over right after that step is logged."""

    def on_event(kind: str, fields: Any) -> None:
        if kind == "metric" and fields["step"] == cut_at:
            raise RuntimeError("cut")

    report = up(
        load_spec(project / "spec.yaml"), project / runs, on_event=on_event, through="train"
    )
    return Path(report.summary.run)


def trained(run: Path) -> Candidate:
    (candidate,) = open_run(run).read_report("train", TrainReport).candidates
    return candidate


def adapter(run: Path) -> bytes:
    return (run / trained(run).adapter / "adapter_model.safetensors").read_bytes()


def test_what_is_spent_is_planned_recorded_shown_and_counted_again(project: Path) -> None:
    (planned,) = plan(load_spec(project / "spec.yaml")).candidates
    assert planned.privacy is not None
    run = train(project, "runs")
    spent = trained(run).privacy
    assert spent is not None
    assert spent.epsilon == planned.privacy.epsilon
    assert (spent.steps, spent.audit_canaries) == (5, 16)
    assert spent.audited is not None
    assert spent.audited <= spent.epsilon <= 4.0
    assert not list(run.rglob("noise.json"))
    line = spent.spent_line()
    assert line in as_text(page_of(show(run)))
    assert line in as_text(page_of(verify(run)))
    card = (run / trained(run).adapter / "README.md").read_text()
    assert f"epsilon {spent.epsilon:.3g}" in card


def test_a_run_that_is_cut_draws_the_same_rows_and_noise_again(project: Path) -> None:
    uncut = adapter(train(project, "uncut"))
    with pytest.raises(RuntimeError, match="cut"):
        train(project, "cut", cut_at=4)
    (kept,) = (project / "cut").rglob("noise.json")
    assert json.loads(kept.read_text())["secret"] == KEY.hex()
    assert adapter(train(project, "cut")) == uncut


def test_a_run_that_lost_its_noise_does_not_go_on(project: Path) -> None:
    with pytest.raises(RuntimeError, match="cut"):
        train(project, "runs", cut_at=4)
    for kept in (project / "runs").rglob("noise.json"):
        kept.unlink()
    with pytest.raises(StageError, match="would spend again"):
        train(project, "runs")


def test_an_attack_that_proves_more_fails_the_run(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spending, "prove_epsilon", lambda *_: 4.5)
    with pytest.raises(StageError, match="not as private as it claims"):
        train(project, "runs")
    assert not list((project / "runs").rglob("adapter_model.safetensors"))


@pytest.mark.parametrize(
    ("old", "new", "key"),
    [
        ("repeats: [1]", "repeats: [1, 2]", "data.canaries.repeats"),
        ("delta: 1.0e-3", "delta: 1.0e-3, unit: who", "data.canaries.count"),
        ("epsilon: 4", "epsilon: 0", "train.privacy.epsilon"),
        ("r: 4", "r: 4, use_dora: true", "train.adapter.use_dora"),
    ],
)
def test_what_cannot_be_private_is_refused_with_its_key(
    old: str, new: str, key: str, project: Path
) -> None:
    (project / "spec.yaml").write_text(SPEC.replace(old, new))
    with pytest.raises(Exception, match=key.replace(".", r"\.")):
        train(project, "runs")
    assert not (project / "runs").exists()


def test_repeats_of_the_data_are_refused_before_a_model_is_loaded(project: Path) -> None:
    rows = (project / "rows.jsonl").read_text()
    (project / "rows.jsonl").write_text(rows + rows.splitlines()[0] + "\n")
    (project / "spec.yaml").write_text(SPEC.replace("exact: drop", "exact: report"))
    with pytest.raises(DataError, match=r"data\.duplicates"):
        train(project, "runs")
