"""QLoRA and DoRA from the spec to the report: what was trained over packed weights is used on whole ones."""

import json
from pathlib import Path

import pytest

from .conftest import Finewright, write_spec

pytestmark = pytest.mark.torch

ADAPTERS = [
    "{type: lora, r: 4, alpha: 8, quantization: nf4}",
    "{type: lora, r: 4, alpha: 8, quantization: int8, use_dora: true, dropout: 0.1}",
]


@pytest.mark.parametrize("adapter", ADAPTERS, ids=["nf4", "int8 dora"])
def test_a_quantised_run_is_measured_on_the_whole_base(
    adapter: str, project: Path, runs: Path, finewright: Finewright
) -> None:
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    from finewright.lm.load import load_lm
    from finewright.lm.sources import locate

    spec = write_spec(project)
    plain = "{type: lora, r: 4, alpha: 8, dropout: 0.0}"
    assert plain in spec.read_text()
    spec.write_text(spec.read_text().replace(plain, adapter))

    assert finewright("up", "spec.yaml").code == 0

    (run,) = runs.iterdir()
    folder = run / "train/base/adapter"
    (trained,) = json.loads((run / "train/report.json").read_text())["candidates"]
    assert trained["final_loss"] < trained["first_loss"]
    evaluated = json.loads((run / "evaluate/report.json").read_text())
    assert {score["system"] for score in evaluated["scores"]} == {"base", "tuned"}
    ids = torch.arange(3, 21)[None]
    base = AutoModelForCausalLM.from_pretrained(project / "base", dtype=torch.float32)
    peft = PeftModel.from_pretrained(base, folder).eval()
    lm = load_lm(locate("./base", project), folder, dtype="fp32")
    with torch.no_grad():
        true, found = peft(input_ids=ids).logits, lm.model(input_ids=ids).logits
    assert (found - true).abs().max() <= 1e-5 * true.abs().max()
