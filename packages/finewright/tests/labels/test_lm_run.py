"""A language model decides, by a head over labels or by the labels' texts: trained, stored, asked."""

import json
import random
from pathlib import Path

import numpy as np
import pytest
import torch
from peft import PeftModel
from test_linear_run import write
from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification

import tiny
from finewright.errors import FinewrightError, Interrupted, SpecError, StoreError
from finewright.labels.calibration import part_rows, softmax
from finewright.labels.on_lm import HeadScorer, TextScorer
from finewright.labels.rows import label_of
from finewright.schema.load import load_spec
from finewright.schema.rows import Row, parse_rows
from finewright.workbench.check import check
from finewright.workbench.plan import plan
from finewright.workbench.predict import Predicting, predict
from finewright.workbench.runs import verify
from finewright.workbench.systems import load_decider, load_system
from finewright.workbench.up import up

pytestmark = pytest.mark.torch

COLOURS = ("red", "blue", "green")
TRAIN = (
    "  learning_rate: 2.0e-2\n  batch_size: 8\n  epochs: 3\n  threads: 1\n  dtype: fp32\n"
    "  prove_elsewhere: false\n  decisions: {calibration: 0.2}\n"
)


def make_rows(count: int, seed: int) -> list[dict[str, str]]:
    rng = random.Random(seed)  # noqa: S311
    said = (rng.choice(COLOURS) for _ in range(count))
    return [{"prompt": f"{i} {rng.choice('ab')} {c}", "completion": c} for i, c in enumerate(said)]


def write_spec(folder: Path, head: str, more: str = "", count: int = 100) -> Path:
    if not (folder / "base").exists():
        tiny.tiny_model("llama").save_pretrained(folder / "base")
        tiny.tiny_tokenizer().save_pretrained(folder / "base")
    write(folder / "train.jsonl", make_rows(count, seed=1))
    write(folder / "test.jsonl", make_rows(30, seed=9))
    spec = folder / "spec.yaml"
    spec.write_text(
        "name: decides\nbase_models: [./base]\ndata:\n  sources: [{path: train.jsonl}]\n"
        "evaluate:\n  data: [{path: test.jsonl}]\n  compare_with: [linear]\n"
        f"train:\n  head: {head}\n{TRAIN}{more}",
        encoding="utf-8",
    )
    return spec


def run_of(folder: Path, head: str, more: str = "", count: int = 100) -> Path:
    spec = load_spec(write_spec(folder, head, more, count))
    return Path(up(spec, folder / "runs", on_event=lambda *_: None).summary.run)


@pytest.fixture(scope="module")
def head_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return run_of(tmp_path_factory.mktemp("head"), "labels")


@pytest.fixture(scope="module")
def text_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return run_of(tmp_path_factory.mktemp("text"), "text", "  max_steps: 6\n")


def scores_of(run: Path) -> dict[str, object]:
    report = json.loads((run / "evaluate" / "report.json").read_text())
    assert report["strays"][0]["count"] == 0
    (found,) = [each for each in report["decisions"] if each["system"] == "tuned"]
    return dict(found)


def questions(count: int = 8) -> list[Row]:
    return [
        Row("", ({"role": "user", "content": each["prompt"]},), tools=None, file="x", row=i)
        for i, each in enumerate(make_rows(count, seed=5), 1)
    ]


def test_a_head_learns_is_calibrated_and_can_be_verified(head_run: Path) -> None:
    found = scores_of(head_run)
    assert float(str(found["accuracy"])) >= 0.9
    train = json.loads((head_run / "train" / "report.json").read_text())["candidates"][0]
    assert train["first_loss"] == pytest.approx(np.log(len(COLOURS)), abs=1e-6)
    assert train["counts"]["rows_in"] == train["counts"]["rows_kept"] == 100
    assert train["final_metrics"]["accuracy"] > 0.5
    assert verify(head_run).passed


def test_transformers_and_peft_give_the_same_logits_in_float64(head_run: Path) -> None:
    decider = load_decider(str(head_run))
    assert isinstance(decider.scorer, HeadScorer)
    rows, adapter = questions(), head_run / "train" / "base" / "adapter"
    base = AutoModelForSequenceClassification.from_pretrained(
        head_run.parent.parent / "base", num_labels=len(decider.labels), dtype=torch.float64
    )
    model = PeftModel.from_pretrained(base, adapter).double().eval()
    chat = decider.scorer.chat
    for row, ours in zip(rows, decider.scorer.logits(rows), strict=True):
        ids = torch.tensor([chat.encode_prompt(row.prompt)])
        with torch.no_grad():
            theirs = model(input_ids=ids).logits[0].numpy()
        assert abs(ours - theirs).max() < 1e-4


def test_the_rows_that_calibrate_train_nothing(head_run: Path) -> None:
    rows = parse_rows((head_run / "data" / "train.jsonl").read_text())
    kept = part_rows([label_of(row) for row in rows], 0.2, 0).calibration
    decider = load_decider(str(head_run))
    logits = decider.scorer.logits([rows[i] for i in kept])
    confidences = softmax(logits / decider.calibration.temperature).max(axis=1)
    stored = decider.calibration.confidences
    assert np.allclose(np.sort(confidences), stored, atol=1e-5)
    assert decider.calibration.rows == len(kept) == 20


def test_predict_answers_with_labels_alone(head_run: Path, tmp_path: Path) -> None:
    rows = write(tmp_path / "ask.jsonl", make_rows(20, seed=4))
    predict(Predicting(str(head_run), rows, tmp_path / "out.jsonl"))
    found = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert {each["label"] for each in found} <= set(COLOURS)
    assert all(0 < each["confidence"] <= 1 for each in found)
    with pytest.raises(StoreError, match="no language model"):
        load_system(str(head_run))


def test_a_cut_training_goes_on_to_the_same_head(head_run: Path, tmp_path: Path) -> None:
    spec, steps = load_spec(write_spec(tmp_path, "labels")), []

    def stop(kind: str, event: dict[str, object]) -> None:
        if kind == "metric":
            steps.append(event)
            if len(steps) == 5:
                import os
                import signal

                os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(Interrupted):
        up(spec, tmp_path / "runs", on_event=stop)
    run = Path(up(spec, tmp_path / "runs", on_event=lambda *_: None).summary.run)
    ours, whole = (load_decider(str(each)).scorer.logits(questions()) for each in (run, head_run))
    assert abs(ours - whole).max() < 1e-5


def test_texts_have_the_probability_of_their_tokens_among_all_labels(text_run: Path) -> None:
    scores_of(text_run)
    decider = load_decider(str(text_run))
    assert isinstance(decider.scorer, TextScorer)
    base = AutoModelForCausalLM.from_pretrained(
        text_run.parent.parent / "base", dtype=torch.float64
    )
    model = PeftModel.from_pretrained(base, text_run / "train" / "base" / "adapter").double().eval()
    chat = decider.scorer.chat
    for row, ours in zip(questions(3), decider.scorer.logits(questions(3)), strict=True):
        prompt, sums = chat.encode_prompt(row.prompt), []
        for label in decider.labels:
            answer = chat.tokenizer(f"{label}<|im_end|>", add_special_tokens=False)["input_ids"]
            with torch.no_grad():
                logits = model(input_ids=torch.tensor([[*prompt, *answer]])).logits[0]
            logps = logits.log_softmax(-1)[len(prompt) - 1 : -1]
            sums.append(float(logps[range(len(answer)), answer].sum()))
        assert abs(softmax(ours[None]) - softmax(np.array([sums]))).max() < 1e-4


def test_a_model_that_writes_labels_still_talks(text_run: Path) -> None:
    assert load_system(str(text_run)).name == text_run.name


REFUSED = {
    "another head": ("answers", "", "there is no head 'answers'"),
    "with another method": ("labels", "  method: dpo\n", "head"),
    "privacy": ("labels", "  privacy: {epsilon: 8}\n", "keeps rows out to calibrate"),
    "processes": ("labels", "launch: {processes: 2}\n", "train.head labels works in one process"),
    "a framework": ("labels", "  backend: trl\n", "by finewright alone"),
    "too few rows": ("labels", "", "would calibrate"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_right_is_refused_in_one_line(name: str, tmp_path: Path) -> None:
    head, more, message = REFUSED[name]
    spec = write_spec(tmp_path, head, more, count=20 if name == "too few rows" else 100)
    with pytest.raises(FinewrightError, match=message):
        plan(load_spec(spec))


def test_plan_and_check_count_the_prompts_of_the_rows_that_train(tmp_path: Path) -> None:
    loaded = load_spec(write_spec(tmp_path, "labels"))
    assert [p for p in check(loaded).problems if p.level == "error"] == []
    (candidate,) = plan(loaded).candidates
    assert candidate.counts.rows_kept == 100
    assert candidate.steps == 30
    with pytest.raises(SpecError):
        load_spec(write_spec(tmp_path, "labels", "  rewards: [exact]\n"))
