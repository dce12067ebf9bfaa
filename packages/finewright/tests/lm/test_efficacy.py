"""The check after training passes what is right, and names what is wrong."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

import tiny
from finewright.lm import efficacy as module
from finewright.lm.adapters.kinds import add_adapter, save_adapter
from finewright.lm.adapters.linears import OnLinear
from finewright.lm.batch import pack
from finewright.lm.efficacy import EfficacyFinding, efficacy, merge_error
from finewright.lm.load import load_lm
from finewright.lm.model import LM
from finewright.lm.sources import LocalBase
from finewright.schema.adapter import (
    AdapterSpec,
    FullSpec,
    IA3Spec,
    LoraSpec,
    PrefixSpec,
    PromptSpec,
)

pytestmark = pytest.mark.torch

PROMPTS = [row.input_ids for row in tiny.random_rows((9, 3))]
SPECS: dict[str, AdapterSpec] = {
    "lora": LoraSpec(r=4, dropout=0.3),
    "dora": LoraSpec(r=4, use_dora=True, dropout=0.3),
    "pissa": LoraSpec(r=4, init="pissa"),
    "nf4": LoraSpec(r=4, quantization="nf4"),
    "ia3": IA3Spec(),
    "prompt": PromptSpec(num_virtual_tokens=4),
    "prefix": PrefixSpec(num_virtual_tokens=4),
    "none": FullSpec(),
}
ON_LINEARS = ("lora", "dora", "pissa", "nf4", "ia3")


class Trained:
    """A tiny model after two steps, stored."""

    def __init__(self, root: Path, spec: AdapterSpec, family: str = "qwen2") -> None:
        self.base = LocalBase(family, root / "base", "", "")
        self.folder = root / "trained"
        self.folder.mkdir()
        tiny.tiny_model(family).save_pretrained(self.base.folder)
        model = tiny.tiny_model(family)
        self.lm = LM(model, add_adapter(model, spec, seed=0))
        optimizer = torch.optim.AdamW(self.lm.parameters(), lr=0.01)
        for _ in range(2):
            (-self.lm.token_logps(pack(tiny.random_rows((12, 7)))).mean()).backward()
            optimizer.step()
            optimizer.zero_grad()
        save_adapter(self.folder, model, self.lm.adapters, spec, base=self.base)

    def findings(self) -> dict[str, EfficacyFinding]:
        found = efficacy(
            load_lm(self.base, self.folder, dtype="fp32"),
            self.base,
            self.lm.tensors_to_store(),
            PROMPTS,
            dtype="fp32",
        )
        return {finding.name.split(" against ")[0]: finding for finding in found}


@pytest.mark.parametrize("kind", SPECS)
def test_what_was_trained_and_stored_passes(kind: str, tmp_path: Path) -> None:
    found = Trained(tmp_path, SPECS[kind]).findings()
    assert all(finding.passed for finding in found.values()), found
    assert found["stored numbers that differ from the trained"].measured == 0
    assert found["generated logits"].measured < 1e-4
    assert found["logits"].measured > 1e-3
    assert ("merged layers" in found) == (kind in ON_LINEARS)


@pytest.mark.parametrize("kind", ["lora", "none"])
def test_a_number_that_was_stored_wrong_is_counted(kind: str, tmp_path: Path) -> None:
    trained = Trained(tmp_path, SPECS[kind])
    (path,) = trained.folder.glob("*.safetensors")
    tensors = load_file(path)
    name = sorted(tensors)[0]
    tensors[name].view(-1)[3] += 1.0
    save_file(tensors, path, metadata={"format": "pt"})
    found = trained.findings()["stored numbers that differ from the trained"]
    assert (found.measured, found.passed) == (1, False)


def test_an_adapter_that_does_nothing_is_noticed(tmp_path: Path) -> None:
    trained = Trained(tmp_path, SPECS["lora"])
    path = trained.folder / "adapter_model.safetensors"
    save_file({name: torch.zeros_like(t) for name, t in load_file(path).items()}, path)
    assert not trained.findings()["logits"].passed


def test_an_adapter_that_generation_loses_is_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained = Trained(tmp_path, SPECS["prompt"])
    sound = module.trace

    def losing(lm: LM, *args: object) -> object:
        with lm.reference():
            return sound(lm, *args)

    monkeypatch.setattr(module, "trace", losing)
    assert not trained.findings()["generated logits"].passed


def test_a_wrong_merge_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trained = Trained(tmp_path, SPECS["lora"])
    part = next(iter(trained.lm.adapters.values()))
    assert isinstance(part, OnLinear)
    assert merge_error(part) <= 1e-5
    right = part.merge()
    monkeypatch.setattr(part, "merge", lambda: right * 1.001)
    assert merge_error(part) > 1e-5
