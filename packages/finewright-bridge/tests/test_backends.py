"""Training by another framework: TRL for real on a tiny model, and what is refused before anything runs."""

import json
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from safetensors.torch import load_file

import tiny
from finewright.errors import StageError
from finewright.schema.load import load_spec
from finewright.schema.methods import DPOSpec, GRPOSpec, SFTSpec
from finewright.schema.report import RunReport
from finewright.schema.rows import Row
from finewright.train.backends import BackendRow, backend_problems
from finewright.workbench.up import up
from finewright_bridge.translate.backends import litgpt_adapter, process, trl

pytestmark = pytest.mark.torch
SPEC = """\
name: tiny
base_models: [./base]
data: {{sources: [{{path: rows.jsonl, license: CC0-1.0, owner: us}}]}}
train:
  backend: {backend}
  adapter: {{type: lora, r: 4, alpha: 8}}
  learning_rate: 1.0e-2
  batch_size: 4
  max_steps: 5
  warmup_ratio: 0
  lr_scheduler: constant
  threads: 1
  dtype: fp32
  prove_elsewhere: false
evaluate: {{metrics: [token_f1], max_new_tokens: 8}}
"""
WORDS = ("red", "blue", "green", "white")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    tiny.tiny_model("llama").save_pretrained(tmp_path / "base")
    tiny.tiny_tokenizer().save_pretrained(tmp_path / "base")
    rows = (
        [
            {"role": "user", "content": f"the {WORDS[i % 4]} {i}"},
            {"role": "assistant", "content": WORDS[i % 4]},
        ]
        for i in range(16)
    )
    text = "".join(json.dumps({"messages": messages}) + "\n" for messages in rows)
    (tmp_path / "rows.jsonl").write_text(text)
    return tmp_path


def run(folder: Path, backend: str) -> RunReport:
    path = folder / f"{backend}.yaml"
    path.write_text(SPEC.format(backend=backend))
    return up(load_spec(path), folder / "runs", on_event=lambda *_: None, through="train")


def test_trl_trains_the_same_rows_in_the_same_order_and_its_adapter_is_the_result(
    folder: Path,
) -> None:
    ours, theirs = run(folder, "finewright"), run(folder, "trl")
    assert ours.train is not None
    assert theirs.train is not None
    (own,), (other,) = ours.train.candidates, theirs.train.candidates
    # Both begin at the base and see the same four rows; one starts from another A, which B = 0 hides.
    assert other.first_loss == pytest.approx(own.first_loss, abs=1e-4)
    assert other.final_loss is not None
    assert own.first_loss is not None
    assert other.final_loss < own.first_loss
    assert (other.backend, other.steps, other.tokens) == ("trl", 5, own.tokens)
    assert other.title == "./base by trl"
    assert 0 < other.peak_gib < 8
    adapters = [
        load_file(Path(report.summary.run) / candidate.adapter / "adapter_model.safetensors")
        for report, candidate in ((ours, own), (theirs, other))
    ]
    shapes = [{name: tensor.shape for name, tensor in each.items()} for each in adapters]
    assert shapes[0] == shapes[1]
    kept = Path(theirs.summary.run) / "train/base"
    assert not (kept / "backend").exists()
    assert str(folder) not in (kept / "adapter/adapter_config.json").read_text()


def test_a_framework_that_fails_is_quoted_and_gives_no_result(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    python = folder / "python"
    python.write_text(
        '#!/bin/sh\ncase "$1" in -c) echo \'{"trl": "1.0", "transformers": "5.1"}\';;'
        " *) echo Traceback; echo 'ValueError: no such model' >&2; exit 3;; esac\n"
    )
    python.chmod(0o755)
    monkeypatch.setenv("FINEWRIGHT_TRL_PYTHON", str(python))
    with pytest.raises(StageError, match="trl failed: ValueError: no such model") as error:
        run(folder, "trl")
    assert "backend.log" in error.value.hint
    kept = next((folder / "runs").glob("*-tiny-*")) / "train/base"
    assert sorted(path.name for path in kept.iterdir()) == ["backend.log", "backend.yaml"]


def test_a_pair_goes_out_as_prompt_and_two_answers() -> None:
    prompt = {"role": "user", "content": "q"}
    answers = [{"role": "assistant", "content": text} for text in "ab"]
    row = Row("1", (prompt, answers[0]), None, "f", 1, rejected=(prompt, answers[1]))
    found = trl.row_of("dpo", BackendRow((1, 2), (False, True), row))
    assert found == {"prompt": [prompt], "chosen": answers[:1], "rejected": answers[1:]}


def test_litgpts_one_matrix_of_query_key_and_value_comes_apart_by_its_rows() -> None:
    """LitGPT's own sum, of its docs: part i of the output gets B_i A_i x, with A and B one below another."""
    torch.manual_seed(0)
    config = SimpleNamespace(
        head_size=2, n_head=4, n_query_groups=1, lora_query=True, lora_key=False, lora_value=True
    )
    a, b = torch.randn(2 * 3, 5), torch.randn(8 + 2, 3)  # rank 3; queries 8 wide, values 2
    names = {"lora_A": a, "lora_B": b}
    qkv = {f"transformer.h.1.attn.qkv.{kind}": tensor for kind, tensor in names.items()}
    found = litgpt_adapter.peft_tensors(
        qkv | {"transformer.h.0.mlp.fc_1.lora_A": torch.ones(3, 5)}, config
    )
    place = "base_model.model.model.layers.1.self_attn"
    query, value = (
        found[f"{place}.{name}.lora_B.weight"] @ found[f"{place}.{name}.lora_A.weight"]
        for name in ("q_proj", "v_proj")
    )
    assert torch.equal(query, b[:8] @ a[:3])
    assert torch.equal(value, b[8:] @ a[3:])
    assert "base_model.model.model.layers.0.mlp.gate_proj.lora_A.weight" in found
    assert len(found) == 5


def test_what_is_not_learned_has_no_label() -> None:
    row = Row("1", ({"role": "user", "content": "q"},), None, "f", 1)
    found = trl.row_of("sft", BackendRow((5, 6, 7), (False, False, True), row))
    assert found == {"input_ids": [5, 6, 7], "labels": [-100, -100, 7]}


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (SFTSpec(backend="axolotl"), "does not run axolotl"),
        (SFTSpec(backend="tlr"), "no backend named 'tlr'"),
        (GRPOSpec(backend="trl", rewards=["exact"]), "and not grpo"),
        (SFTSpec(backend="trl", early_stopping=2), "looks at held-out rows"),
        (DPOSpec(backend="trl", batch_tokens=512), "unlike numbers of rows"),
        (SFTSpec(backend="trl", adapter={"type": "none"}), "a LoRA adapter is taken back"),
    ],
)
def test_what_a_backend_cannot_do_is_said_before_anything_is_read(
    settings: SFTSpec, words: str
) -> None:
    assert any(words in problem.message for problem in backend_problems(settings))


def test_a_python_without_the_framework_is_said_with_the_variable_that_names_another(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("FINEWRIGHT_TRL_PYTHON", str(tmp_path / "nowhere"))
    (problem,) = process.missing("trl", "trl")
    assert "no Python that runs" in problem.message
    assert "FINEWRIGHT_TRL_PYTHON" in problem.hint
