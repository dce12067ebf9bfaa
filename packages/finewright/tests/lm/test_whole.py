"""Every weight learns: gradients of plain transformers, an honest reference, and a folder that loads."""

from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM

import tiny
from finewright.errors import ModelError
from finewright.lm.adapters.kinds import add_adapter, save_adapter, set_adapter_tensors
from finewright.lm.batch import pack
from finewright.lm.generate import Sampling, generate
from finewright.lm.load import load_lm, load_model
from finewright.lm.model import LM
from finewright.lm.sources import LocalBase
from finewright.schema.adapter import FullSpec
from referee import assert_close, assert_gradients_close, drawn, logps

pytestmark = pytest.mark.torch

ROWS = tiny.random_rows((15, 4, 1, 9))


def whole(family: str = "llama", dtype: torch.dtype = torch.float32) -> LM:
    model = tiny.tiny_model(family).to(dtype)
    return LM(model, add_adapter(model, FullSpec(), seed=0))


def stepped(lm: LM, lr: float = 0.01) -> LM:
    optimizer = torch.optim.AdamW(lm.parameters(), lr=lr, fused=True)
    (-lm.token_logps(pack(ROWS)).mean()).backward()
    optimizer.step()
    optimizer.zero_grad()
    return lm


@pytest.mark.parametrize("memory", ["fast", "lean"])
@pytest.mark.parametrize("family", tiny.ALL_FAMILIES)
def test_gradients_of_all_weights_are_those_of_plain_transformers(family: str, memory: str) -> None:
    lm, plain = whole(family), tiny.tiny_model(family)
    if memory == "lean":
        lm.recompute()
    for found in (lm.token_logps(pack(ROWS)), logps(plain, ROWS)):
        (found * drawn(len(found), seed=5)).sum().backward()
    true = {n: p.grad for n, p in plain.named_parameters() if p.grad is not None and p.grad.any()}
    ours = {n: p.grad for n, p in lm.model.named_parameters() if n in true}
    assert len(true) > 10
    assert_gradients_close(ours, true, rel=5e-5)
    assert len(lm.parameters()) == len(list(plain.parameters()))


def test_checkpoints_hold_every_weight_once() -> None:
    lm, again = stepped(whole("qwen2")), whole("qwen2")
    tensors = lm.tensors_to_keep()
    assert tensors.keys() == dict(tiny.tiny_model("qwen2").named_parameters()).keys()
    set_adapter_tensors(again.adapters, tensors, origin="checkpoint")
    with torch.no_grad():
        assert torch.equal(again.compute_states(pack(ROWS)), lm.compute_states(pack(ROWS)))


def test_the_base_can_be_asked_until_the_first_step() -> None:
    lm = whole()
    assert not lm.has_reference
    with torch.no_grad():
        before = lm.token_logps(pack(ROWS))
    with lm.reference():
        assert torch.equal(lm.token_logps(pack(ROWS)), before)
    stepped(lm)
    with pytest.raises(ModelError, match="every weight learns"), lm.reference():
        pass


def test_weights_from_a_checkpoint_are_not_the_base() -> None:
    lm, again = stepped(whole()), whole()
    set_adapter_tensors(again.adapters, lm.tensors_to_keep(), origin="checkpoint")
    with pytest.raises(ModelError, match="not there any more"), again.reference():
        pass


@pytest.mark.parametrize("dtype", ["fp32", "bf16"])
@pytest.mark.parametrize("family", ["llama", "qwen2", "gemma3_text", "mixtral", "qwen3_moe"])
def test_a_stored_model_is_loaded_by_us_and_by_transformers(
    family: str, dtype: str, tmp_path: Path
) -> None:
    form = torch.float32 if dtype == "fp32" else torch.bfloat16
    base, folder = tmp_path / "base", tmp_path / "trained"
    tiny.tiny_model(family).save_pretrained(base)
    lm = stepped(whole(family, form))
    folder.mkdir()
    save_adapter(folder, lm.model, lm.adapters, FullSpec(), base=tiny.base_of(base))

    again = load_lm(LocalBase("x", base, "", ""), folder, dtype=dtype)
    theirs = AutoModelForCausalLM.from_pretrained(folder, dtype=form).eval()

    weights, ours = dict(again.model.named_parameters()), lm.tensors_to_store()
    assert weights.keys() == ours.keys()
    assert all(torch.equal(weights[name], tensor) for name, tensor in ours.items())
    if dtype == "bf16":
        return  # routers near a tie fall either way
    with torch.no_grad():
        logits = again.logits(again.compute_states(pack(ROWS[:1])))
        assert_close(logits, theirs(torch.tensor([ROWS[0].input_ids])).logits[0])
        assert_close(logits, lm.logits(lm.compute_states(pack(ROWS[:1]))))
    sampling, prompts = Sampling(max_new_tokens=4), [ROWS[0].input_ids]
    found = generate(again, prompts, stop_ids=frozenset(), sampling=sampling)
    assert found == generate(lm, prompts, stop_ids=frozenset(), sampling=sampling)


def test_code_of_the_base_goes_with_the_model(tmp_path: Path) -> None:
    base, folder = tmp_path / "base", tmp_path / "trained"
    base.mkdir()
    folder.mkdir()
    (base / "modeling_own.py").write_text("VALUE = 1\n")
    lm = whole()
    save_adapter(folder, lm.model, lm.adapters, FullSpec(), base=tiny.base_of(base))
    assert (folder / "modeling_own.py").read_text() == "VALUE = 1\n"


@pytest.mark.parametrize("family", ["llama", "gemma2", "glm4"])
def test_logps_at_a_temperature_are_those_of_scaled_logits(family: str) -> None:
    for lm in (whole(family), LM(tiny.tiny_model(family).requires_grad_(False), {})):
        batch = lm.pack([[row] for row in ROWS])
        with torch.no_grad():
            states = lm.compute_states(batch)[batch.sources]
            true = (lm.logits(states) / 0.7).log_softmax(-1)
            true = true.gather(-1, batch.targets[:, None])[:, 0]
            assert_close(lm.logps(states, batch.targets, temperature=0.7), true)
            assert_close(lm.token_logps(batch, 0.7), true)


def test_training_leaves_the_base_files_as_they_are(tiny_folder: Path) -> None:
    """Loaded weights lie in a mapping of the file."""
    base = LocalBase("x", tiny_folder, "", "")
    before = (tiny_folder / "model.safetensors").read_bytes()
    model = load_model(base, dtype="fp32", place=False)
    lm = stepped(LM(model, add_adapter(model, FullSpec(), seed=0, device=torch.device("cpu"))))
    assert not torch.equal(
        lm.compute_states(pack(ROWS)), load_lm(base, None, dtype="fp32").compute_states(pack(ROWS))
    )
    assert (tiny_folder / "model.safetensors").read_bytes() == before
