"""Runs that build on runs: where one starts, what is stored, and what is refused."""

import hashlib
import json
import math
import os
import shutil
import signal
from pathlib import Path

import pytest
import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM

from finewright.data.provenance.trace import without
from finewright.errors import FinewrightError, Interrupted
from finewright.lm.example import EncodedRow
from finewright.run_reader import read_run
from finewright.schema.load import load_spec
from finewright.store.manifest import read_manifest, verify, write_manifest
from finewright.store.parents import walk_parents
from finewright.store.rundir import open_run
from finewright.workbench.check import check_path
from finewright.workbench.lineage import show_lineage
from finewright.workbench.runs import verify as verify_run
from finewright.workbench.systems import load_system
from finewright.workbench.up import up, up_path
from tiny_run import nothing, trained

PAIRS = [
    {"prompt": f"the {w} {i}", "chosen": w, "rejected": "no"}
    for i, w in enumerate(("red", "blue", "green", "white") * 2)
]
CHILD = """\
name: {name}
base_models: ["{parent}"]
data: {{sources: [{{path: {rows}, license: CC0-1.0, owner: us}}]}}
train:
  method: {method}
  adapter: {adapter}
  learning_rate: 1.0e-2
  dtype: fp32
  batch_size: 4
  max_steps: 3
  threads: 1
  prove_elsewhere: false
evaluate: {{metrics: [token_f1], max_new_tokens: 8}}
"""


@pytest.fixture(scope="module")
def parent(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny SFT run with a LoRA on some layers."""
    return trained(
        tmp_path_factory.mktemp("runs36"), "{r: 4, alpha: 6, target_modules: [q_proj, up_proj]}"
    )


def make(parent: Path, name: str, adapter: str, method: str = "dpo", base: str = "") -> Path:
    """The spec of a run that builds on the parent, beside the parent's."""
    folder = parent.parents[1]
    (folder / "pairs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in PAIRS))
    rows = "pairs.jsonl" if method == "dpo" else "rows.jsonl"
    base = base or f"runs/{parent.name}"
    text = CHILD.format(name=name, parent=base, rows=rows, method=method, adapter=adapter)
    (folder / f"{name}.yaml").write_text(text)
    return folder / f"{name}.yaml"


def run_child(spec: Path) -> Path:
    report = up(load_spec(spec), spec.parent / "runs", on_event=nothing, through="train")
    return Path(report.summary.run)


def logits(model: torch.nn.Module, ids: list[int]) -> torch.Tensor:
    with torch.no_grad():
        found: torch.Tensor = model(input_ids=torch.tensor([ids])).logits.float()
    return found


IDS = [1, 20, 33, 47, 8, 101]


@pytest.mark.parametrize(
    "adapter", ["{r: 2, target_modules: [v_proj, up_proj]}", "{continue: true}"]
)
def test_dpo_starts_from_the_parent_at_ln_2(parent: Path, adapter: str) -> None:
    child = run_child(make(parent, "dpo" + str(len(adapter)), adapter))
    steps = list(read_run(child).steps(read_run(child).candidates()[0]))
    assert steps[0]["loss"] == pytest.approx(math.log(2), abs=1e-6)
    assert steps[-1]["loss"] != pytest.approx(math.log(2), abs=1e-3)


def test_what_is_stored_is_an_adapter_of_the_parents_own_base(parent: Path) -> None:
    """PEFT loads it on the base alone, and gives the same logits; without what was learned: the parent's."""
    child = run_child(make(parent, "new", "{r: 2, target_modules: [v_proj, up_proj]}"))
    folder = child / read_run(child).candidates()[0]["adapter"]
    base = parent.parents[1] / "base"

    def peft(stored: Path) -> torch.Tensor:
        plain = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
        return logits(PeftModel.from_pretrained(plain, stored).eval(), IDS)

    ours = load_system(str(child))
    tuned = logits(ours.lm.model.eval(), IDS)
    torch.testing.assert_close(tuned, peft(folder), atol=1e-5, rtol=1e-5)
    with ours.lm.reference():
        started = logits(ours.lm.model.eval(), IDS)
    of_parent = peft(parent / read_run(parent).candidates()[0]["adapter"])
    torch.testing.assert_close(started, of_parent, atol=1e-5, rtol=1e-5)
    assert (tuned - started).abs().max() > 1e-3


def test_the_manifest_names_the_parent_by_digest(parent: Path) -> None:
    child = run_child(make(parent, "named", "{r: 2}", base="runs/tiny"))
    (record,) = read_run(child).parents
    manifest = read_manifest(open_run(child))
    weights = hashlib.sha256()
    for name in ("adapter_config.json", "adapter_model.safetensors"):
        folder = parent / read_run(parent).candidates()[0]["adapter"]
        sha256 = hashlib.sha256((folder / name).read_bytes()).hexdigest()
        weights.update(f"{name}\0{sha256}\n".encode())
    assert (record.run, record.key) == (parent.name, read_run(parent).key)
    assert record.adapter_sha256 == weights.hexdigest()
    assert (
        record.manifest_sha256
        == hashlib.sha256((parent / "manifest.json").read_bytes()).hexdigest()
    )
    assert not verify(open_run(child))
    assert manifest.parents is not None
    other = manifest.parents[0].model_copy(update={"adapter_sha256": "0" * 64})
    write_manifest(open_run(child), manifest.model_copy(update={"parents": (other,)}))
    assert [p.key for p in verify(open_run(child))] == ["run"]  # signed with the beginning


def test_a_child_stands_by_itself_when_its_parent_is_gone(parent: Path, tmp_path: Path) -> None:
    root = shutil.copytree(parent.parents[1], tmp_path / "all")
    own = root / "runs" / parent.name
    child = run_child(make(own, "alone", "{r: 2}"))
    before = logits(load_system(str(child)).lm.model, IDS)
    shutil.rmtree(own)
    moved = shutil.move(child, tmp_path / "moved")
    torch.testing.assert_close(
        logits(load_system(str(moved)).lm.model, IDS), before, atol=0, rtol=0
    )
    (ancestor,) = walk_parents(open_run(moved))
    assert (ancestor.record.run, ancestor.run) == (own.name, None)


@pytest.mark.parametrize(
    ("base", "adapter", "said"),
    [
        ("./base", "{continue: true}", "is no run whose adapter"),
        ("runs/own", "{r: 2}", "its own parent"),
        ("", "{continue: true, r: 2}", "leave r out"),
        ("", "{type: prefix}", "only plain LoRA is exact"),
        ("", "{continue: true, type: prefix}", "trained lora"),
        ("{run}:other", "{r: 2}", "trained 1 models"),
        ("runs/unknown", "{r: 2}", "no run in"),
    ],
)
def test_what_does_not_go_together_is_one_line(
    parent: Path, base: str, adapter: str, said: str
) -> None:
    if base == "runs/own":
        run_child(make(parent, "own", "{r: 2}"))
    spec = make(parent, "own", adapter, base=base.replace("{run}", f"runs/{parent.name}"))
    errors = [p for p in check_path(spec).problems if p.level == "error"]
    assert [said in error.message + error.hint for error in errors] == [True]
    with pytest.raises(FinewrightError, match=said):
        run_child(spec)


def test_a_damaged_parent_is_refused(parent: Path, tmp_path: Path) -> None:
    root = shutil.copytree(parent.parents[1], tmp_path / "all")
    spec = make(root / "runs" / parent.name, "broken", "{r: 2}")
    (weights,) = (root / "runs" / parent.name).rglob("adapter/adapter_model.safetensors")
    weights.write_bytes(weights.read_bytes()[:-4] + b"\0\0\0\1")
    with pytest.raises(FinewrightError, match="has changed since it was trained"):
        run_child(spec)


def test_a_cycle_of_parents_is_refused(parent: Path, tmp_path: Path) -> None:
    root = shutil.copytree(parent.parents[1], tmp_path / "all")
    own = open_run(root / "runs" / parent.name)
    child = open_run(run_child(make(own.root, "round", "{r: 2}")))
    (record,) = read_manifest(child).parents or ()
    back = record.model_copy(update={"path": str(child.root), "key": read_manifest(child).key})
    write_manifest(own, read_manifest(own).model_copy(update={"parents": (back,)}))
    with pytest.raises(FinewrightError, match="lead back to itself"):
        list(walk_parents(child))


REFRESH = """\
name: refresh
base_models: [runs/tiny]
data:
  sources:
    - {path: new.jsonl, license: CC0-1.0, owner: us}
    - {path: "runs/{run}/data/train.jsonl", share: 0.6, license: CC0-1.0, owner: us}
train: {adapter: {r: 2}, learning_rate: 1.0e-2, dtype: fp32, batch_size: 4, max_steps: 3, threads: 1,
        prove_elsewhere: false}
evaluate: {data: [{path: test.jsonl}], metrics: [exact_match], max_new_tokens: 8}
"""


def test_a_refresh_replays_old_rows_and_measures_what_was_forgotten(
    parent: Path, tmp_path: Path
) -> None:
    root = shutil.copytree(parent.parents[1], tmp_path / "all")
    own = root / "runs" / parent.name
    up(load_spec(root / "spec.yaml", ["data.eval_fraction=0.25"]), root / "runs", on_event=nothing)
    for name, first in (("new", 20), ("test", 40)):
        rows = ({"prompt": f"say {i}", "completion": f"a {i}"} for i in range(first, first + 6))
        (root / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (root / "refresh.yaml").write_text(REFRESH.replace("{run}", parent.name))
    child = Path(up(load_spec(root / "refresh.yaml"), root / "runs", on_event=nothing).summary.run)
    read = read_run(child)
    shares = {each["source"]: each["taken"] for each in read.report("data")["mixture"]}
    assert list(shares.values()) == [6, 9]  # 9 of 15 rows are 60 %
    assert read.report("data")["rows_train"] == 15
    (ancestor,) = read.report("data")["ancestors"]
    assert (ancestor["run"], ancestor["data"]) == (parent.name, "eval")
    scored = {(s.system, s.data, s.metric) for s in read.scores()}
    assert {("base", ancestor["name"], "token_f1"), ("tuned", "test", "exact_match")} <= scored
    assert ("tuned", ancestor["name"], "exact_match") not in scored  # by the parent's own metrics
    assert verify_run(child).passed
    lineage = show_lineage(child)
    assert [(n.depth, n.run) for n in lineage.nodes] == [(0, child.name), (1, parent.name)]
    gone = without(open_run(child), "rows.jsonl")  # of the parent's spec
    assert (len(gone.train), gone.ancestors) == (6, {parent.name: 12})
    shutil.rmtree(own)
    assert "cannot be checked" in verify_run(child).problems[-1].message
    assert up_path(child, (), root / "runs", on_event=nothing, new=False).ran == ()


def test_a_run_on_a_run_that_was_cut_ends_bitwise_the_same(parent: Path) -> None:
    spec = make(parent, "cut", "{continue: true}")
    whole = run_child(spec)
    stopped = 0

    def stop_soon(event: str, fields: object) -> None:
        nonlocal stopped
        if event == "metric":
            stopped += 1
            if stopped == 2:
                os.kill(os.getpid(), signal.SIGINT)

    root = spec.parent / "cut-runs"
    with pytest.raises(Interrupted):
        up(load_spec(spec), root, on_event=stop_soon, through="train")
    (cut,) = root.iterdir()
    parent.rename(parent.with_name("elsewhere"))  # its adapter is kept in the run
    try:
        up_path(cut, (), root, on_event=nothing, new=False)
    finally:
        parent.with_name("elsewhere").rename(parent)
    files = [next(run.rglob("adapter/adapter_model.safetensors")) for run in (whole, cut)]
    assert files[0].read_bytes() == files[1].read_bytes()


GRPO = """\
name: grpo
base_models: [runs/tiny]
data: {sources: [{path: prompts.jsonl, license: CC0-1.0, owner: us}]}
train: {method: grpo, rewards: [{function: exact}], num_generations: 2, max_new_tokens: 4, beta: 0.1,
        temperature: 1.0, adapter: {r: 2}, learning_rate: 1.0e-1, dtype: fp32, batch_size: 2, max_steps: 3,
        threads: 1, prove_elsewhere: false}
"""


def test_the_kl_of_grpo_is_to_the_parent(parent: Path) -> None:
    folder = parent.parents[1]
    rows = ({"prompt": f"the {i}", "answer": "red"} for i in range(6))
    (folder / "prompts.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "grpo.yaml").write_text(GRPO)
    child = read_run(run_child(folder / "grpo.yaml"))
    (first, *_) = child.steps(child.candidates()[0])
    assert first["metrics"]["kl"] == 0.0


@pytest.mark.parametrize(
    ("of_parent", "of_child", "kind"),
    [
        ("{type: none}", "{r: 2}", "dpo"),
        ("{type: none}", "{type: none}", "dpo"),
        ("{type: prefix, num_virtual_tokens: 3}", "{type: prefix, continue: true}", "dpo"),
        ("{r: 2, use_dora: true}", "{continue: true}", "dpo"),
        ("{type: ia3}", "{type: ia3, continue: true}", "dpo"),
        ("{r: 2, quantization: nf4}", "{r: 3, quantization: nf4, dropout: 0.1}", "sft"),
    ],
)
def test_every_kind_of_parent_is_gone_on_from(
    of_parent: str, of_child: str, kind: str, tmp_path: Path
) -> None:
    first = trained(tmp_path, of_parent)
    child = run_child(make(first, "next", of_child, method=kind))
    assert all(proof["passed"] for proof in read_run(child).candidates()[0]["proofs"])
    if kind == "dpo":  # the reference is the parent; bitwise so in training
        step = next(iter(read_run(child).steps(read_run(child).candidates()[0])))
        assert step["loss"] == pytest.approx(math.log(2), abs=1e-6)
    system = load_system(str(child), dtype="fp32").lm
    if system.has_reference and system.adapters:
        asked = EncodedRow(tuple(IDS), (False,) * len(IDS))
        with system.reference():
            start = system.compute_states(system.pack([[asked]]))
        own = load_system(str(first), dtype="fp32").lm
        with torch.no_grad():
            wanted = own.compute_states(own.pack([[asked]]))
        torch.testing.assert_close(start, wanted, atol=1e-5, rtol=1e-5)
