"""A trained run becomes files of other programs, and what does not answer the same is not published."""

import json
import resource
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from gguf import GGUFReader
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM

import tiny
from finewright.errors import DataError, FinewrightError, ModelError, StoreError
from finewright.schema.export import ExportReport, Parity, Tolerance
from finewright.schema.load import load_spec
from finewright.workbench.up import up
from finewright_bridge.export import proof
from finewright_bridge.export.options import ExportOptions
from finewright_bridge.export.proof import TOLERANCES, why_not
from finewright_bridge.export.report import export_page
from finewright_bridge.export.run import export
from labels.test_linear_run import make_rows, write_spec
from tiny_run import nothing, trained

pytestmark = pytest.mark.torch
pytest.importorskip("xllamacpp")


@pytest.fixture(scope="module")
def lora(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return trained(tmp_path_factory.mktemp("lora"), "{type: lora, r: 4, alpha: 8}")


@pytest.fixture(scope="module")
def prompt_tokens(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return trained(tmp_path_factory.mktemp("prompt"), "{type: prompt, num_virtual_tokens: 4}")


def exported(run: Path, folder: Path, to: str, **more: object) -> ExportReport:
    out = folder / to
    given = {"run": run, "to": to, "out": out, "prompts": 6, "max_new_tokens": 6, **more}
    return export(ExportOptions.model_validate(given), nothing)


@pytest.mark.parametrize(
    ("to", "file"),
    [
        ("merged", "model.safetensors"),
        ("gguf", "f16.gguf"),
        ("gguf-adapter", "lora.gguf"),
        ("hub-folder", "adapter_model.safetensors"),
        ("vllm", "vllm.yaml"),
    ],
)
def test_the_answers_are_the_same(lora: Path, tmp_path: Path, to: str, file: str) -> None:
    report = exported(lora, tmp_path, to)
    assert report.parity.passed
    assert report.parity.gap_max < 0.01
    assert any(found.path.endswith(file) for found in report.files)
    assert json.loads((tmp_path / to / "export.json").read_text())["parity"]["passed"]


@pytest.mark.parametrize(
    ("to", "room"),
    [
        ("merged", 4_000),
        ("merged", 100),
        ("gguf", 4_000),
        ("gguf-adapter", 4_000),
        ("hub-folder", 4_000),
    ],
)
def test_a_full_disk_is_one_line_and_leaves_nothing(
    lora: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, to: str, room: int
) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", True)  # no file of a module's is cut
    most, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, hard))
    try:
        with pytest.raises(StoreError, match=r"(the disk is full|File too large)[^\n]*$"):
            exported(lora, tmp_path, to)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, hard))
    assert list(tmp_path.iterdir()) == []


def test_a_merged_folder_is_the_base_of_a_further_run(lora: Path, tmp_path: Path) -> None:
    exported(lora, tmp_path, "merged")
    shutil.copytree(tmp_path / "merged", tmp_path / "further" / "base")
    again = trained(tmp_path / "further", "{type: lora, r: 2, alpha: 4}")
    assert exported(again, tmp_path, "gguf").parity.passed


def test_a_merged_folder_is_a_base_of_plain_transformers(lora: Path, tmp_path: Path) -> None:
    exported(lora, tmp_path, "merged")
    model = AutoModelForCausalLM.from_pretrained(tmp_path / "merged")
    assert not any("lora" in name for name, _ in model.named_parameters())


def test_what_answers_otherwise_is_not_published_but_for_a_reason(
    lora: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    strict = Tolerance(gap=-1.0, logp_mean=0.0)
    monkeypatch.setattr(proof, "TOLERANCES", dict.fromkeys(proof.TOLERANCES, strict))
    with pytest.raises(ModelError, match="not published"):
        exported(lora, tmp_path, "merged")
    assert list(tmp_path.iterdir()) == []
    report = exported(lora, tmp_path, "merged", accept="a trial")
    assert (report.parity.passed, report.parity.accepted) == (False, "a trial")


@pytest.mark.parametrize("to", ["merged", "gguf", "gguf-adapter", "ollama", "vllm"])
def test_virtual_tokens_are_refused_with_the_reason(
    prompt_tokens: Path, tmp_path: Path, to: str
) -> None:
    with pytest.raises(DataError, match="virtual tokens"):
        exported(prompt_tokens, tmp_path, to)
    assert list(tmp_path.iterdir()) == []


def test_virtual_tokens_go_into_a_hub_folder(prompt_tokens: Path, tmp_path: Path) -> None:
    assert exported(prompt_tokens, tmp_path, "hub-folder").parity.passed


def test_vllms_settings_name_what_was_compared_by_paths_from_their_folder(
    lora: Path, tmp_path: Path
) -> None:
    exported(lora, tmp_path, "vllm")
    folder = tmp_path / "vllm"
    settings = yaml.safe_load((folder / "vllm.yaml").read_text())
    (adapter,) = settings["lora-modules"]
    assert (
        adapter.partition("=")[2] == settings["tokenizer"] == settings["generation-config"] == "./"
    )
    assert not any(
        Path(value).is_absolute() for value in settings.values() if isinstance(value, str)
    )
    assert (folder / settings["chat-template"]).is_file()
    base = lora.parent.parent / "base"
    assert (folder / settings["model"]).resolve() == base.resolve()


def test_a_base_that_is_nowhere_but_in_the_cache_is_merged_for_vllm(
    lora: Path, tmp_path: Path
) -> None:
    """What the hub has under the name of a GGUF file was not compared."""
    gguf_base(lora, tmp_path)
    run = trained(tmp_path, "{type: lora, r: 4, alpha: 8}", base="./base.gguf")
    exported(run, tmp_path, "vllm")
    folder = tmp_path / "vllm"
    settings = yaml.safe_load((folder / "vllm.yaml").read_text())
    assert settings["model"] == "./"
    assert not settings.keys() & {"enable-lora", "lora-modules", "revision"}
    merged = load_file(folder / "model.safetensors")
    assert not any("lora" in name for name in merged)


def gguf_base(run: Path, folder: Path) -> None:
    """A GGUF file of a run, as a base model."""
    exported(run, folder, "gguf", quantize="f32")
    (file,) = (folder / "gguf").glob("*.gguf")
    shutil.move(file, folder / "base.gguf")


@pytest.mark.parametrize(("parted", "passes"), [(5, True), (6, False)])
def test_the_share_of_answers_that_may_part_is_the_users(parted: int, passes: bool) -> None:
    """8 of 50 beside 3 ties are beyond the tenth of q8_0, and within a share of 0.16."""
    at_default = TOLERANCES["q8_0"]
    parity = parity_of(parted, at_default)
    assert (why_not(parity) == "") == passes
    eight = parity_of(8, at_default)
    assert why_not(eight) == (
        "8 of 50 answers (16%) part from the model's own, 3 more at a tie, and 10% is allowed"
        " (--max-parted)"
    )
    assert why_not(parity_of(8, at_default.model_copy(update={"parted": 0.16}))) == ""


def parity_of(parted: int, tolerance: Tolerance) -> Parity:
    """50 answers of which so many part, beside three ties, all within the nats that are allowed."""
    return Parity(
        engine="llama.cpp",
        prompts=50,
        same=47 - parted,
        ties=3,
        rounding=0.1,
        gap_max=0.3,
        logp_mean=0.01,
        logp_max=0.2,
        compared=1500,
        other_tokens=0,
        other_renderings=0,
        tolerance=tolerance,
        dtype="fp32",
        passed=False,
    )


def test_answers_that_part_are_refused_and_said(
    lora: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Coarse weights of a random model: most answers part."""
    wide = Tolerance(gap=50.0, logp_mean=50.0, parted=0.1)
    monkeypatch.setattr(proof, "TOLERANCES", dict.fromkeys(proof.TOLERANCES, wide))
    with pytest.raises(ModelError, match=r"not published, .* of 6 answers \(\d+%\) part .* 10% is"):
        exported(lora, tmp_path, "gguf", quantize="q8_0", max_new_tokens=32)
    report = exported(lora, tmp_path, "gguf", quantize="q8_0", max_new_tokens=32, max_parted=1.0)
    assert report.parity.passed
    assert report.parity.tolerance.parted == 1
    assert f"{report.parity.parted} of 6 answers" in export_page(report).answer


def test_llama_cpp_gives_the_same_tokens_and_ends(lora: Path, tmp_path: Path) -> None:
    parity = exported(lora, tmp_path, "gguf", max_new_tokens=32, max_parted=1.0).parity
    assert parity.passed
    assert parity.same >= 1  # near ties of a random model part the others
    assert parity.gap_max < 0.01


def test_a_folder_that_is_there_is_left_alone(lora: Path, tmp_path: Path) -> None:
    (tmp_path / "merged").mkdir()
    with pytest.raises(DataError, match="already there"):
        exported(lora, tmp_path, "merged")


@pytest.mark.parametrize(
    ("to", "quantize", "why"),
    [
        ("merged", "q8_0", "not for merged, which is written in f32, f16, bf16"),
        ("vllm", "f16", "not for vllm, which keeps its own"),
    ],
)
def test_a_number_format_that_a_target_has_not_is_refused(
    lora: Path, tmp_path: Path, to: str, quantize: str, why: str
) -> None:
    with pytest.raises(DataError, match=why):
        exported(lora, tmp_path, to, quantize=quantize)


@pytest.mark.parametrize(("quantize", "dtype"), [("f32", np.float32), ("f16", np.float16)])
def test_a_merge_is_rounded_once(
    lora: Path, tmp_path: Path, quantize: str, dtype: type[np.floating]
) -> None:
    exported(lora, tmp_path, "gguf", quantize=quantize)
    (file,) = (tmp_path / "gguf").glob("*.gguf")
    written = {each.name: each.data for each in GGUFReader(file).tensors}
    base = load_file(lora.parent.parent / "base" / "model.safetensors")
    adapter = load_file(next(lora.glob("train/**/adapter_model.safetensors")))
    layer = "model.layers.0.mlp.down_proj"
    a, b = (adapter[f"base_model.model.{layer}.lora_{side}.weight"].numpy() for side in "AB")
    merged = base[f"{layer}.weight"].float().numpy() + np.float32(8 / 4) * (b @ a)
    assert np.abs(merged - base[f"{layer}.weight"].float().numpy()).max() > 0
    found = written["blk.0.ffn_down.weight"].astype(np.float32)
    np.testing.assert_allclose(found, merged.astype(dtype).astype(np.float32), rtol=0, atol=1e-6)


def test_a_merged_folder_is_written_in_the_format_that_is_wished(
    lora: Path, tmp_path: Path
) -> None:
    assert exported(lora, tmp_path, "merged", quantize="f32").parity.ties == 0
    weights = load_file(tmp_path / "merged" / "model.safetensors").values()
    assert {each.dtype for each in weights} == {torch.float32}


def test_a_model_that_changed_since_is_one_line_and_leaves_nothing(
    lora: Path, tmp_path: Path
) -> None:
    run = tmp_path / "runs" / "run"
    shutil.copytree(lora, run)
    (weights,) = run.glob("train/**/adapter_model.safetensors")
    weights.write_bytes(weights.read_bytes()[:-4] + b"\0\0\0\1")
    with pytest.raises(FinewrightError, match=r"changed|damaged|differs"):
        exported(run, tmp_path / "runs", "merged")
    assert [path.name for path in (tmp_path / "runs").iterdir()] == ["run"]


def test_a_template_that_asks_for_the_day_is_compared_on_the_real_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny.tiny_model("llama").bfloat16().save_pretrained(tmp_path / "base")
    tiny.tiny_tokenizer().save_pretrained(tmp_path / "base")
    template = tmp_path / "base" / "chat_template.jinja"
    template.write_text("{{ strftime_now('%d %b %Y') }}" + template.read_text())
    run = trained(tmp_path, "{type: lora, r: 4, alpha: 8}")
    monkeypatch.delenv("FINEWRIGHT_TODAY")  # llama.cpp has the clock's
    for to in ("gguf", "vllm"):
        report = exported(run, tmp_path, to)
        assert report.parity.passed
        assert "in training and evaluation it was told 2026-11-28" in report.problems[0].message
    settings = yaml.safe_load((tmp_path / "vllm" / "vllm.yaml").read_text())
    assert "default-chat-template-kwargs" not in settings
    assert "2026-11-28" in next(run.rglob("README.md")).read_text()


def test_a_model_of_labels_is_not_exported(tmp_path: Path) -> None:
    run = up(load_spec(write_spec(tmp_path, make_rows(200, seed=1))), tmp_path, on_event=nothing)
    with pytest.raises(StoreError, match="a model of labels is no language model"):
        exported(Path(run.summary.run), tmp_path, "gguf")
