"""A head on a language model gives several labels, or a score: trained, calibrated, stored, asked."""

import json
import random
from pathlib import Path

import numpy as np
import pytest
import torch
from peft import PeftModel
from test_linear_run import write
from transformers import AutoModelForSequenceClassification

import tiny
from finewright.errors import DataError
from finewright.labels.decider import Decider
from finewright.labels.multilabel import control_risk, sigmoid
from finewright.labels.on_lm import HeadScorer
from finewright.labels.rows import part_answers
from finewright.schema.decisions import DecisionSpec, MultilabelCalibration, ScoreCalibration
from finewright.schema.load import load_spec
from finewright.schema.rows import Row, parse_rows
from finewright.workbench.check import check
from finewright.workbench.plan import plan
from finewright.workbench.predict import Predicting, predict
from finewright.workbench.runs import verify
from finewright.workbench.systems import load_decider
from finewright.workbench.up import up

pytestmark = pytest.mark.torch

LABELS = ("bold", "cold", "warm")
SAID = {"red": ["bold", "warm"], "blue": ["cold"], "green": [], "white": ["bold", "cold"]}
WORTH = {"red": 90.0, "blue": 50.0, "green": 30.0, "white": 60.0}
TRAIN = """\
  head: labels
  learning_rate: 2.0e-2
  batch_size: 8
  epochs: 6
  threads: 1
  dtype: fp32
  prove_elsewhere: false
"""
METRICS = {"several": "exact_match", "score": "within:5"}


def make_rows(kind: str, count: int, seed: int) -> list[dict[str, str]]:
    rng = random.Random(seed)  # noqa: S311
    words = [rng.choice(list(SAID)) for _ in range(count)]
    due = [json.dumps(SAID[w]) if kind == "several" else str(WORTH[w]) for w in words]
    return [
        {"prompt": f"{i} {rng.choice('ab')} {word}", "completion": answer}
        for i, (word, answer) in enumerate(zip(words, due, strict=True))
    ]


def write_spec(folder: Path, kind: str, count: int = 200) -> Path:
    if not (folder / "base").exists():
        tiny.tiny_model("llama").save_pretrained(folder / "base")
        tiny.tiny_tokenizer().save_pretrained(folder / "base")
    write(folder / "train.jsonl", make_rows(kind, count, seed=1))
    write(folder / "test.jsonl", make_rows(kind, 60, seed=9))
    spec = folder / "spec.yaml"
    spec.write_text(
        "name: heads\nbase_models: [./base]\ndata:\n  sources: [{path: train.jsonl}]\n"
        f"evaluate:\n  data: [{{path: test.jsonl}}]\n  metrics: ['{METRICS[kind]}']\n"
        f"  compare_with: []\ntrain:\n{TRAIN}  decisions: {{kind: {kind}, calibration: 0.4}}\n",
        encoding="utf-8",
    )
    return spec


@pytest.fixture(scope="module", params=["several", "score"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def run(kind: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp(kind)
    spec = load_spec(write_spec(folder, kind))
    return Path(up(spec, folder / "runs", on_event=lambda *_: None).summary.run)


@pytest.fixture(scope="module")
def decider(run: Path) -> Decider:
    return load_decider(str(run))


def parted(run: Path, kind: str) -> tuple[list[Row], list[Row]]:
    rows = parse_rows((run / "data" / "train.jsonl").read_text())
    spec = DecisionSpec.model_validate({"kind": kind, "calibration": 0.4})
    parts = part_answers(rows, spec, 0)
    return [rows[i] for i in parts.train], [rows[i] for i in parts.calibration]


def said(rows: list[Row]) -> list[object]:
    return [json.loads(str(row.messages[-1]["content"])) for row in rows]


def test_it_learns_is_measured_and_can_be_verified(run: Path, kind: str) -> None:
    report = json.loads((run / "evaluate" / "report.json").read_text())
    (found,) = report["decision_figures"]
    (candidate,) = json.loads((run / "train" / "report.json").read_text())["candidates"]
    if kind == "several":
        assert candidate["first_loss"] == pytest.approx(np.log(2), abs=1e-6)
        assert found["figures"]["micro_f1"] > 0.8
    else:
        assert found["figures"]["mae"] < 0.5 * found["figures"]["mae_of_mean"]
    assert candidate["final_loss"] < 0.8 * candidate["first_loss"]
    assert candidate["counts"]["rows_kept"] == 200
    assert verify(run).passed


def test_transformers_and_peft_give_the_same_logits_in_float64(
    run: Path, kind: str, decider: Decider
) -> None:
    assert isinstance(decider.scorer, HeadScorer)
    columns = len(decider.labels) or 1
    assert columns == {"several": 3, "score": 1}[kind]
    base = AutoModelForSequenceClassification.from_pretrained(
        run.parent.parent / "base", num_labels=columns, dtype=torch.float64
    )
    adapter = run / "train" / "base" / "adapter"
    model = PeftModel.from_pretrained(base, adapter).double().eval()
    _, rows = parted(run, kind)
    for row, ours in zip(rows[:8], decider.scorer.logits(rows[:8]), strict=True):
        ids = torch.tensor([decider.scorer.chat.encode_prompt(row.prompt)])
        with torch.no_grad():
            theirs = model(input_ids=ids).logits[0].numpy()
        assert abs(ours - theirs).max() < 1e-4


def test_its_bounds_are_of_rows_that_calibrate_nothing_else(
    run: Path, kind: str, decider: Decider
) -> None:
    train, rows = parted(run, kind)
    by, logits = decider.calibration, decider.scorer.logits(rows)
    if isinstance(by, ScoreCalibration):
        scores = np.array(said(train), dtype=float)
        assert (by.mean, by.scale) == pytest.approx((scores.mean(), scores.std()))
        errors = sorted(abs(by.mean + by.scale * logits[:, 0] - np.array(said(rows), dtype=float)))
        assert by.rows == len(rows) == 80
        assert by.half_width == pytest.approx(errors[72])  # ceil(81 * 0.9) = 73
        return
    assert isinstance(by, MultilabelCalibration)
    assert len(set(by.slopes)) == len(set(by.offsets)) == 1
    assert by.rows == 40
    truth = np.array([[label in each for label in decider.labels] for each in said(rows)])  # type: ignore
    p = sigmoid(by.slopes[0] * logits + by.offsets[0])
    assert by.set_probability == control_risk(p[40:], truth[40:].astype(float), 0.9)
    # Of Platt's scaling the mean of the first half is that of its targets.
    assert p[:40].mean() == pytest.approx(truth[:40].mean(), abs=0.02)


def test_predict_writes_decisions_of_the_kind(run: Path, kind: str, tmp_path: Path) -> None:
    asked = write(tmp_path / "ask.jsonl", make_rows(kind, 20, seed=4))
    predict(Predicting(str(run), asked, tmp_path / "out.jsonl"))
    found = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert len(found) == 20
    for each in found:
        if kind == "several":
            assert (
                set(each["labels"]) | set(each["set"]) <= set(LABELS) == set(each["probabilities"])
            )
        else:
            assert each["low"] < each["score"] < each["high"]


def test_check_and_plan_count_the_halves(tmp_path: Path) -> None:
    loaded = load_spec(write_spec(tmp_path, "several"))
    assert [p for p in check(loaded).problems if p.level == "error"] == []
    (candidate,) = plan(loaded).candidates
    assert candidate.counts.rows_kept == 200
    few = load_spec(write_spec(tmp_path, "several", count=40))
    with pytest.raises(DataError, match="8 of 40 rows would calibrate"):
        plan(few)
    assert not [
        p
        for p in check(load_spec(write_spec(tmp_path, "score", 40))).problems
        if p.level == "error"
    ]
