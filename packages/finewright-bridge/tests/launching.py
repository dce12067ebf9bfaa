"""A small project, launched: what the tests of `launch` share."""

import json
from datetime import date
from pathlib import Path

import tiny
from finewright.feature import Session
from finewright_bridge.launch.options import LaunchOptions
from finewright_bridge.launch.report import LaunchReport
from finewright_bridge.launch.run import launch

SPEC = """\
name: tiny
base_models: [./base]
data: {sources: [{path: rows.jsonl, license: CC0-1.0, owner: us}]}
train:
  adapter: {type: lora, r: 4, alpha: 8}
  learning_rate: 1.0e-2
  batch_size: 4
  max_steps: 40
  threads: 1
  prove_elsewhere: false
evaluate: {data: [{path: held/test.jsonl}], metrics: [token_f1], max_new_tokens: 4}
"""
WORDS = ("red", "blue", "green", "white")
NEEDED = {
    "kaggle": {"user": "ada"},
    "kubernetes": {"image": "registry.example/tiny:1"},
    "trainjob": {"image": "registry.example/tiny:1"},
    "sagemaker": {
        "role": "arn:aws:iam::123456789012:role/finewright",
        "image": "123456789012.dkr.ecr.us-east-1.amazonaws.com/training:1",
    },
    "vertex-tuning": {"project": "ours"},
}
PLACES = {"sagemaker": "s3://ours/jobs", "vertex": "gs://ours/jobs", "vertex-tuning": "gs://ours"}
OWN = ("compose", "kubernetes", "slurm", "trainjob")


def make_project(folder: Path) -> Path:
    """A spec, rows and a model of random numbers; returns the path of the spec."""
    if not (folder / "base").exists():
        tiny.tiny_model("llama").save_pretrained(folder / "base")
        tiny.tiny_tokenizer().save_pretrained(folder / "base")
    rows = [{"prompt": f"the {WORDS[i % 4]} {i}", "completion": WORDS[i % 4]} for i in range(20)]
    (folder / "held").mkdir(exist_ok=True)
    for name, part in (("rows.jsonl", rows[:16]), ("held/test.jsonl", rows[16:])):
        (folder / name).write_text("".join(json.dumps(row) + "\n" for row in part))
    (folder / "spec.yaml").write_text(SPEC)
    return folder / "spec.yaml"


def start(
    spec: Path, target: str, out: Path, told: list[str] | None = None, **more: object
) -> LaunchReport:
    """Launch with what the target needs."""
    given: dict[str, object] = {"install": "pypi", "values": NEEDED.get(target, {})}
    given |= {"place": PLACES.get(target, "")}
    if target in OWN:
        given["gpu"] = "L4"
    texts = [] if told is None else told
    session = Session(date(2026, 12, 2), lambda *_: None, texts.append, lambda _: "")
    options = LaunchOptions.model_validate(
        {"spec": spec, "to": target, "out": out, **given, **more}
    )
    return launch(options, session)
