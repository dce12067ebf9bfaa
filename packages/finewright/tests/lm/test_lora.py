"""Adapters as PEFT's own files: what is written there is what PEFT reads, and the other way round."""

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import PreTrainedModel

import tiny
from finewright.errors import ModelError
from finewright.lm.adapters.files import CONFIG_FILE, WEIGHTS_FILE, read_adapter_spec
from finewright.lm.adapters.kinds import (
    adapter_tensors,
    load_adapter,
    save_adapter,
    set_adapter_tensors,
)
from finewright.lm.adapters.linears import target_paths
from finewright.lm.adapters.lora import DoraLinear, LoraLinear, add_lora
from finewright.lm.fast.linear import PlainWeight
from finewright.schema.adapter import LoraSpec

pytestmark = pytest.mark.torch

Model = Callable[[str], PreTrainedModel]
IDS = torch.arange(3, 21)[None]


def spec_of(**fields: object) -> LoraSpec:
    return LoraSpec(**{"r": 4, "alpha": 12, **fields})


def adapted(model: PreTrainedModel, spec: LoraSpec) -> dict[str, LoraLinear]:
    """Adapters all of whose tensors are other than at first, so that they matter."""
    adapters = add_lora(model, spec, seed=1)
    generator = torch.Generator().manual_seed(2)
    for adapter in adapters.values():
        adapter.lora_B.data.normal_(std=0.2, generator=generator)
        if isinstance(adapter, DoraLinear):
            magnitude = adapter.lora_magnitude_vector.data
            magnitude.mul_(1 + 0.2 * torch.randn(magnitude.shape, generator=generator))
    return adapters


def stored(folder: Path, model: PreTrainedModel, spec: LoraSpec) -> dict[str, LoraLinear]:
    adapters = adapted(model, spec)
    save_adapter(folder, model, adapters, spec, base=tiny.base_of(Path("base")))
    return adapters


@torch.no_grad()
def logits(model: torch.nn.Module) -> Tensor:
    return model(input_ids=IDS).logits


def assert_near(found: Tensor, true: Tensor) -> None:
    assert (found - true).abs().max() <= 1e-5 * true.abs().max()


def targets_of(family: str) -> list[dict[str, object]]:
    first = "qkv_proj" if family == "phi3" else "q_proj"
    named = (
        "all-linear",
        (first, "o_proj"),
        (f"model.layers.1.self_attn.{first}",),
        (f"0.self_attn.{first}", "1.self_attn.o_proj"),
    )
    return [{"target_modules": targets} for targets in named]


KINDS: list[dict[str, object]] = [
    {"use_dora": True},
    {"use_rslora": True},
    {"use_dora": True, "use_rslora": True},
    {"use_dora": True, "dropout": 0.25},
]
CELLS = [
    *((family, targets) for family in tiny.FAMILIES for targets in targets_of(family)),
    *((family, kind) for family in ("llama", "qwen2", "phi3", "mixtral") for kind in KINDS),
]


@pytest.mark.parametrize(("family", "fields"), CELLS, ids=str)
def test_a_stored_adapter_gives_the_same_logits_in_peft_and_comes_back_bit_by_bit(
    family: str, fields: dict[str, object], tiny_model: Model, tmp_path: Path
) -> None:
    model, again, spec = tiny_model(family), tiny_model(family), spec_of(**fields)
    plain = logits(model)
    adapters = stored(tmp_path, model, spec)
    peft = PeftModel.from_pretrained(tiny_model(family), tmp_path).eval()
    found, true = logits(model), logits(peft)
    assert (plain - true).abs().max() > 1e-2 * true.abs().max()
    assert_near(found, true)

    loaded = load_adapter(again, tmp_path)

    read = read_adapter_spec(tmp_path)
    assert read == spec.model_copy(update={"target_modules": read.target_modules})
    assert {p: a.scale for p, a in loaded.items()} == {p: a.scale for p, a in adapters.items()}
    ours, theirs = adapter_tensors(adapters), adapter_tensors(loaded)
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(theirs[name], tensor) for name, tensor in ours.items())
    assert torch.equal(logits(again), found)


@pytest.mark.parametrize(
    ("family", "fields"),
    [
        ("llama", {"target_modules": "all-linear"}),
        ("llama", {"target_modules": ["q_proj", "down_proj"]}),
        *(("llama", {"init_lora_weights": start}) for start in ("gaussian", "orthogonal")),
        *(("qwen2", kind) for kind in KINDS[:3]),
    ],
    ids=str,
)
def test_an_adapter_that_peft_made_can_be_loaded(
    family: str, fields: dict[str, object], tiny_model: Model, tmp_path: Path
) -> None:
    usual = {"target_modules": ["q_proj", "v_proj", "down_proj"], "init_lora_weights": False}
    config = LoraConfig(r=4, lora_alpha=10, task_type="CAUSAL_LM", **{**usual, **fields})
    peft = get_peft_model(tiny_model(family), config).eval()
    for name, parameter in peft.named_parameters():
        if "lora_B" in name or "magnitude" in name:
            parameter.data.mul_(1.5).add_(0.1)
    peft.save_pretrained(tmp_path)
    model = tiny_model(family)

    load_adapter(model, tmp_path)

    assert_near(logits(model), logits(peft))


@pytest.mark.parametrize("use_dora", [False, True], ids=["lora", "dora"])
@pytest.mark.parametrize("quantization", ["nf4", "int8"])
def test_an_adapter_trained_over_packed_weights_is_stored_as_any_other(
    quantization: str, use_dora: bool, tiny_model: Model, tmp_path: Path
) -> None:
    model, spec = tiny_model("llama"), spec_of(quantization=quantization, use_dora=use_dora)
    stored(tmp_path, model, spec)

    whole = tiny_model("llama")
    loaded = load_adapter(whole, tmp_path)
    peft = PeftModel.from_pretrained(tiny_model("llama"), tmp_path).eval()

    assert read_adapter_spec(tmp_path).quantization == "none"
    assert all(isinstance(adapter.frozen, PlainWeight) for adapter in loaded.values())
    assert_near(logits(whole), logits(peft))
    # packing does change the base, so this is the whole one
    assert (logits(whole) - logits(model)).abs().max() > 1e-3 * logits(whole).abs().max()


@pytest.mark.parametrize("kind", KINDS[:2], ids=str)
@pytest.mark.parametrize("quantization", ["none", "nf4", "int8"])
def test_any_fresh_adapter_changes_nothing(
    quantization: str, kind: dict[str, object], tiny_model: Model
) -> None:
    model = tiny_model("qwen2")
    adapters = add_lora(model, spec_of(quantization=quantization, **kind), seed=0)
    with_adapters = logits(model)
    for adapter in adapters.values():
        adapter.enabled = False
    assert torch.equal(logits(model), with_adapters)


def test_a_fresh_adapter_changes_nothing(tiny_model: Model) -> None:
    model = tiny_model("qwen2")
    before = logits(model)
    add_lora(model, spec_of(), seed=0)
    assert torch.allclose(logits(model), before, rtol=1e-5, atol=1e-6)


def test_the_first_weights_follow_the_seed_alone(tiny_model: Model) -> None:
    torch.manual_seed(5)
    first = add_lora(tiny_model("llama"), spec_of(), seed=1)
    torch.manual_seed(6)
    same = add_lora(tiny_model("llama"), spec_of(), seed=1)
    other = add_lora(tiny_model("llama"), spec_of(), seed=2)
    path = "model.layers.1.mlp.down_proj"
    assert torch.equal(first[path].lora_A, same[path].lora_A)
    assert not torch.equal(first[path].lora_A, other[path].lora_A)


def test_the_first_weights_have_pefts_distribution(tiny_model: Model) -> None:
    spec = spec_of(r=64)
    ours = add_lora(tiny_model("llama"), spec, seed=0)["model.layers.0.mlp.down_proj"].lora_A
    config = LoraConfig(r=64, target_modules=["down_proj"], task_type="CAUSAL_LM")
    peft = get_peft_model(tiny_model("llama"), config).base_model.model
    theirs = peft.get_submodule("model.layers.0.mlp.down_proj").lora_A["default"].weight
    assert ours.shape == theirs.shape
    assert ours.abs().max().item() == pytest.approx(theirs.abs().max().item(), rel=0.01)
    assert ours.std().item() == pytest.approx(theirs.std().item(), rel=0.05)


def test_the_head_gets_no_adapter(tiny_model: Model) -> None:
    paths = target_paths(tiny_model("llama"), "all-linear")
    assert len(paths) == 2 * 7
    assert "lm_head" not in paths


def test_the_adapter_is_float32_over_a_bfloat16_base(tiny_model: Model) -> None:
    model = tiny_model("llama").to(torch.bfloat16)
    adapters = adapted(model, spec_of())
    assert {t.dtype for t in adapter_tensors(adapters).values()} == {torch.float32}
    assert logits(model).dtype == torch.bfloat16


def test_an_unknown_target_names_those_of_the_model(tiny_model: Model) -> None:
    with pytest.raises(ModelError, match="'query_proj'") as caught:
        add_lora(tiny_model("phi3"), spec_of(target_modules=("o_proj", "query_proj")), seed=0)
    assert caught.value.hint == (
        "did you mean 'qkv_proj'? this model has down_proj, gate_up_proj, o_proj, qkv_proj"
    )


def test_the_end_of_a_name_is_not_a_name(tiny_model: Model) -> None:
    with pytest.raises(ModelError, match="'proj'"):
        add_lora(tiny_model("llama"), spec_of(target_modules=("proj",)), seed=0)


def test_nothing_is_written_when_one_tensor_does_not_fit(tiny_model: Model) -> None:
    adapters = adapted(tiny_model("llama"), spec_of())
    before = {name: tensor.clone() for name, tensor in adapter_tensors(adapters).items()}
    tensors = {name: torch.ones_like(tensor) for name, tensor in before.items()}
    *_, last = tensors
    with pytest.raises(ModelError):
        set_adapter_tensors(adapters, {**tensors, last: torch.ones(1, 1)}, origin="here")
    after = adapter_tensors(adapters)
    assert all(torch.equal(after[name], tensor) for name, tensor in before.items())


@pytest.mark.parametrize("other", ["phi3", "qwen3"])
def test_an_adapter_of_another_model_is_refused(
    other: str, tiny_model: Model, tmp_path: Path
) -> None:
    stored(tmp_path, tiny_model("llama"), spec_of())
    with pytest.raises(ModelError):
        load_adapter(tiny_model(other), tmp_path)


def tensor_in(folder: Path, name: str, width: int) -> None:
    path = folder / WEIGHTS_FILE
    save_file({**load_file(path), f"base_model.model.model.{name}": torch.zeros(4, width)}, path)


def config_in(folder: Path, **change: object) -> None:
    path = folder / CONFIG_FILE
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))


def bytes_in(folder: Path, file: str, content: bytes | None) -> None:
    (folder / file).unlink()
    if content is not None:
        (folder / file).write_bytes(content)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (
            partial(tensor_in, name="layers.0.self_attn.q_proj.lora_A.weight", width=31),
            r"q_proj.lora_A.weight has shape \(4, 31\)",
        ),
        (
            partial(tensor_in, name="layers.2.mlp.up_proj.lora_A.weight", width=32),
            r"does not fit this base model: .*layers\.2",
        ),
        (partial(bytes_in, file=WEIGHTS_FILE, content=None), f"{WEIGHTS_FILE} is missing"),
        (partial(bytes_in, file=WEIGHTS_FILE, content=b"not safetensors"), WEIGHTS_FILE),
        (partial(config_in, use_dora=True), r"does not fit this base model: .*magnitude"),
        *(
            (partial(bytes_in, file=CONFIG_FILE, content=content), CONFIG_FILE)
            for content in (None, b"{", b"[]", b'{"peft_type": "LORA"}')
        ),
        *(
            (partial(config_in, **change), CONFIG_FILE)
            for change in (
                {"use_qalora": True},
                {"modules_to_save": ["lm_head"]},
                {"peft_type": "IA3"},
                {"bias": "all"},
                {"rank_pattern": {"q_proj": 8}},
                {"alpha_pattern": {"q_proj": 8}},
                {"layers_to_transform": [0]},
                {"target_modules": ".*q_proj"},
                {"target_parameters": ["mlp.experts.gate_up_proj"]},
                {"layer_replication": [[0, 2], [1, 2]]},
                {"alora_invocation_tokens": [5, 6]},
                {"init_lora_weights": "pissa"},
                {"init_lora_weights": "olora"},
            )
        ),
    ],
    ids=lambda value: str(value.keywords) if isinstance(value, partial) else None,
)
def test_files_that_do_not_fit_are_a_model_error(
    damage: Callable[[Path], None], message: str, tiny_model: Model, tmp_path: Path
) -> None:
    stored(tmp_path, tiny_model("llama"), spec_of())
    damage(tmp_path)
    with pytest.raises(ModelError, match=message):
        load_adapter(tiny_model("llama"), tmp_path)
