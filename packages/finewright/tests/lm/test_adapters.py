"""Adapters of every kind beside PEFT's own: logits, gradients, files, generation, and the base beneath."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import torch
from peft import IA3Config, PeftModel, PrefixTuningConfig, PromptTuningConfig, get_peft_model
from torch import Tensor, nn
from transformers import PreTrainedModel

import tiny
from finewright.errors import ModelError
from finewright.lm.adapters.files import CONFIG_FILE, read_adapter_spec
from finewright.lm.adapters.ia3 import targets_of
from finewright.lm.adapters.kinds import (
    adapter_tensors,
    add_adapter,
    load_adapter,
    save_adapter,
    set_adapter_tensors,
)
from finewright.lm.adapters.part import ROOT
from finewright.lm.adapters.prompt import SoftPrompt
from finewright.lm.batch import pack
from finewright.lm.example import EncodedRow
from finewright.lm.fast.quantized import QuantizedWeight
from finewright.lm.generate import Sampling, generate
from finewright.lm.model import LM
from finewright.schema.adapter import AdapterSpec, IA3Spec, LoraSpec, PrefixSpec, PromptSpec
from referee import assert_close, assert_gradients_close, drawn

pytestmark = pytest.mark.torch

Model = Callable[[str], PreTrainedModel]
FAMILIES = (
    "llama",
    "mistral",
    "qwen2",
    "qwen3",
    "gemma2",
    "gemma3_text",
    "phi3",
    "mixtral",
    "qwen3_moe",
    "deepseek_v3",
)
# More virtual tokens than the sliding window sees.
N = tiny.WINDOW + 2
SPECS: dict[str, AdapterSpec] = {
    "ia3": IA3Spec(),
    "prompt": PromptSpec(num_virtual_tokens=N),
    "prefix": PrefixSpec(num_virtual_tokens=N),
}
BASE = Path("base")
# Longer and shorter than the sliding window, and one in which nothing can be learned.
LENGTHS = (15, 4, 1, 9)
cells = [
    (family, kind)
    for family in FAMILIES
    for kind in SPECS
    if (family, kind) != ("deepseek_v3", "prefix")  # refused
]
every_cell = pytest.mark.parametrize(("family", "kind"), cells)
# Global and sliding attention, experts, and keys that are not the heads'.
some_cells = pytest.mark.parametrize(
    ("family", "kind"),
    [c for c in cells if c[0] in {"llama", "gemma3_text", "mixtral", "deepseek_v3"}],
)
every_kind = pytest.mark.parametrize("kind", SPECS)


def adapted(family: str, spec: AdapterSpec, dtype: torch.dtype = torch.float32) -> LM:
    """A model with an adapter that matters."""
    model = tiny.tiny_model(family).to(dtype)
    parts = add_adapter(model, spec, seed=0)
    generator = torch.Generator().manual_seed(2)
    for tensor in adapter_tensors(parts).values():
        tensor.add_(0.3 * torch.randn(tensor.shape, generator=generator))
    return LM(model, parts)


def stored(lm: LM, spec: AdapterSpec, folder: Path) -> Path:
    save_adapter(folder, lm.model, lm.adapters, spec, base=tiny.base_of(BASE))
    return folder


def in_peft(family: str, folder: Path) -> PeftModel:
    """PEFT's model, its adapter learning."""
    peft = PeftModel.from_pretrained(tiny.tiny_model(family), folder).eval()
    for name, parameter in peft.named_parameters():
        parameter.requires_grad_("ia3_l" in name or "prompt_encoder" in name)
    return peft


def one_by_one(model: nn.Module, rows: Sequence[EncodedRow]) -> Tensor:
    """PEFT's or transformers' logits of all tokens, each row alone; without those of virtual tokens."""
    found = []
    for row in rows:
        ids = torch.tensor([row.input_ids])
        seen = torch.ones_like(ids)
        output = model(input_ids=ids, attention_mask=seen, use_cache=False)
        found.append(output.logits[0, -row.num_tokens :])
    return torch.cat(found)


def packed(lm: LM, rows: Sequence[EncodedRow]) -> Tensor:
    return lm.logits(lm.compute_states(pack(rows)))


def gradients(lm: LM) -> dict[str, Tensor]:
    """Under the names that the tensors are stored by; taken away."""
    found = {}
    for (name, tensor), parameter in zip(
        lm.tensors_to_keep().items(), lm.parameters(), strict=True
    ):
        assert tensor.data_ptr() == parameter.data_ptr()
        assert parameter.grad is not None
        found[name], parameter.grad = parameter.grad, None
    return found


def learned(lm: LM, groups: Sequence[Sequence[EncodedRow]]) -> dict[str, Tensor]:
    """Gradients of a sum in which each token counts differently."""
    logps = lm.token_logps(lm.pack(groups))
    (logps * drawn(len(logps), seed=5)).sum().backward()
    return gradients(lm)


@every_cell
def test_logits_and_gradients_are_those_of_peft(family: str, kind: str, tmp_path: Path) -> None:
    rows = tiny.random_rows(LENGTHS)
    lm = adapted(family, SPECS[kind])
    twin = in_peft(family, stored(lm, SPECS[kind], tmp_path))

    logits, true = packed(lm, rows), one_by_one(twin, rows)
    counts = drawn(len(rows) * 60, seed=6)[: len(true)]
    (logits.log_softmax(-1)[:, 7] * counts).sum().backward()
    (true.log_softmax(-1)[:, 7] * counts).sum().backward()

    assert_close(logits, true, rel=1e-5)
    assert not torch.allclose(true, one_by_one(tiny.tiny_model(family), rows), atol=1e-2)
    if kind == "ia3":
        theirs = {
            name.replace(".default", ""): parameter.grad
            for name, parameter in twin.named_parameters()
            if parameter.requires_grad
        }
    else:
        theirs = {"prompt_embeddings": twin.prompt_encoder["default"].embedding.weight.grad}
    assert_gradients_close(gradients(lm), theirs, rel=2e-5)


@some_cells
def test_an_adapter_comes_back_bit_by_bit(family: str, kind: str, tmp_path: Path) -> None:
    rows = tiny.random_rows(LENGTHS)
    lm = adapted(family, SPECS[kind])
    stored(lm, SPECS[kind], tmp_path)
    model = tiny.tiny_model(family)

    again = LM(model, load_adapter(model, tmp_path))

    ours, theirs = lm.tensors_to_store(), again.tensors_to_store()
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(theirs[name], tensor) for name, tensor in ours.items())
    assert torch.equal(packed(again, rows), packed(lm, rows))


CONFIGS = {
    "ia3": IA3Config(task_type="CAUSAL_LM", init_ia3_weights=False),
    "prompt": PromptTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=N),
    "prefix": PrefixTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=N),
    "projected prefix": PrefixTuningConfig(
        task_type="CAUSAL_LM", num_virtual_tokens=N, prefix_projection=True
    ),
}


@pytest.mark.parametrize("kind", CONFIGS)
@pytest.mark.parametrize("family", ["llama", "qwen2", "gemma2"])
def test_an_adapter_that_peft_made_can_be_loaded(family: str, kind: str, tmp_path: Path) -> None:
    rows = tiny.random_rows(LENGTHS)
    torch.manual_seed(0)
    get_peft_model(tiny.tiny_model(family), CONFIGS[kind]).save_pretrained(tmp_path)
    model = tiny.tiny_model(family)
    lm = LM(model, load_adapter(model, tmp_path))
    with torch.no_grad():
        assert_close(packed(lm, rows), one_by_one(in_peft(family, tmp_path), rows), rel=1e-5)


def test_the_linears_that_are_rescaled_are_those_that_peft_takes(tmp_path: Path) -> None:
    for family in ("llama", "mistral", "qwen2", "qwen3", "gemma2", "gemma3_text", "mixtral"):
        peft = get_peft_model(tiny.tiny_model(family), IA3Config(task_type="CAUSAL_LM"))
        theirs = {
            name.removeprefix("base_model.model."): module.is_feedforward
            for name, module in peft.named_modules()
            if hasattr(module, "ia3_l")
        }
        targets = targets_of(tiny.tiny_model(family), IA3Spec())
        assert {path: path in targets.feedforward for path in targets.paths} == theirs, family


@some_cells
def test_greedy_tokens_are_those_of_a_forward_for_each(
    family: str, kind: str, tmp_path: Path
) -> None:
    """PEFT's forward without a cache, token by token; prompts that begin alike and one alone."""
    lm = adapted(family, SPECS[kind])
    twin = in_peft(family, stored(lm, SPECS[kind], tmp_path))
    first, other = (row.input_ids for row in tiny.random_rows((9, 3)))
    for prompts in ([first, first[:5] + other, first], [other]):
        found = generate(lm, prompts, stop_ids=frozenset(), sampling=Sampling(max_new_tokens=6))
        for prompt, answer in zip(prompts, found, strict=True):
            ids = prompt
            for _ in range(6):
                with torch.no_grad():
                    logits = one_by_one(twin, [EncodedRow(ids, (False,) * len(ids))])
                ids = (*ids, int(logits[-1].argmax()))
            assert prompt + answer.ids == ids


@some_cells
def test_the_reference_is_the_base_bit_by_bit(family: str, kind: str) -> None:
    rows, prompts = tiny.random_rows(LENGTHS), [row.input_ids for row in tiny.random_rows((7, 3))]
    sampling = Sampling(max_new_tokens=3)
    base = LM(tiny.tiny_model(family).requires_grad_(False), {})
    lm = adapted(family, SPECS[kind])
    adapted_logits = packed(lm, rows)
    with lm.reference():
        assert torch.equal(packed(lm, rows), packed(base, rows))
        found = generate(lm, prompts, stop_ids=frozenset(), sampling=sampling)
    assert found == generate(base, prompts, stop_ids=frozenset(), sampling=sampling)
    assert torch.equal(packed(lm, rows), adapted_logits)
    assert lm.has_reference


@every_kind
@pytest.mark.parametrize("family", ["llama", "gemma2", "mixtral"])
def test_steps_move_the_adapter_and_nothing_else(family: str, kind: str) -> None:
    lm, before = adapted(family, SPECS[kind]), tiny.tiny_model(family).state_dict()
    first = {name: tensor.clone() for name, tensor in lm.tensors_to_keep().items()}
    optimizer = torch.optim.AdamW(lm.parameters(), lr=0.01)
    losses = []
    for _ in range(4):
        loss = -lm.token_logps(pack(tiny.random_rows(LENGTHS))).mean()
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        losses.append(float(loss.detach()))
    assert losses[-1] < losses[0]
    after = {
        name.replace(".base.", "."): tensor
        for name, tensor in lm.model.state_dict().items()
        if "ia3_l" not in name
    }
    assert after.keys() == before.keys()
    assert all(torch.equal(after[name], tensor) for name, tensor in before.items())
    moved = lm.tensors_to_keep()
    assert all((moved[name] != tensor).all() for name, tensor in first.items())


@every_kind
@pytest.mark.parametrize("family", ["llama", "gemma3_text", "mixtral"])
def test_shared_prompts_and_recomputing_change_no_gradient(family: str, kind: str) -> None:
    lm = adapted(family, SPECS[kind])
    apart = learned(lm, [[row] for rows in tiny.shared_prompts() for row in rows])
    assert_gradients_close(learned(lm, tiny.shared_prompts()), apart, rel=2e-5)
    lm.recompute()
    assert_gradients_close(learned(lm, tiny.shared_prompts()), apart, rel=2e-5)


@every_kind
def test_training_goes_on_after_generating(kind: str) -> None:
    """What generation remembers of a row's layout is no inference tensor."""
    lm, rows = adapted("llama", SPECS[kind]), tiny.random_rows((9,))
    generate(lm, [rows[0].input_ids], stop_ids=frozenset(), sampling=Sampling(max_new_tokens=2))
    assert all(grad.any() for grad in learned(lm, [rows]).values())


def test_virtual_tokens_are_there_once_for_rows_that_stand_alone() -> None:
    lm = adapted("llama", SPECS["prompt"])
    rows = tiny.random_rows(LENGTHS)
    batch = lm.pack([[row] for row in rows])
    row = lm.with_virtual_tokens(batch)
    assert row.input_ids.shape[1] == batch.num_tokens + N
    assert row.position_ids[0, row.real].tolist() == [p + N for p in batch.position_ids[0].tolist()]
    two = lm.with_virtual_tokens(
        lm.pack(tiny.shared_prompts())
    )  # both shared prompts, and the row alone
    assert len(two.virtual) == 3 * N
    with lm.reference():
        assert len(lm.with_virtual_tokens(batch).virtual) == 0


@every_kind
@pytest.mark.parametrize("family", ["llama", "gemma3_text"])
def test_in_bfloat16_they_are_near_float32(family: str, kind: str) -> None:
    rows = tiny.random_rows(LENGTHS)
    lm, wide = adapted(family, SPECS[kind], torch.bfloat16), adapted(family, SPECS[kind])
    set_adapter_tensors(wide.adapters, lm.tensors_to_keep(), origin="here")
    assert {tensor.dtype for tensor in lm.tensors_to_keep().values()} == {torch.float32}
    found, true = packed(lm, rows), packed(wide, rows)
    assert found.dtype == torch.bfloat16
    assert (found - true).norm() <= 0.05 * true.norm()
    sampling = Sampling(max_new_tokens=2)
    assert generate(lm, [rows[0].input_ids], stop_ids=frozenset(), sampling=sampling)


@pytest.mark.parametrize("quantization", ["nf4", "int8"])
@pytest.mark.parametrize("family", ["llama", "qwen2"])
def test_rescaling_over_packed_weights_is_rescaling_of_what_they_stand_for(
    family: str, quantization: str
) -> None:
    rows = [[row] for row in tiny.random_rows(LENGTHS)]
    lm = adapted(family, IA3Spec(quantization=quantization))
    plain = tiny.tiny_model(family)
    for path, part in lm.adapters.items():
        assert isinstance(part.frozen, QuantizedWeight)
        plain.get_submodule(path).weight.data.copy_(part.read_weight())
    twin = LM(plain, add_adapter(plain, IA3Spec(), seed=0))
    set_adapter_tensors(twin.adapters, lm.tensors_to_keep(), origin="here")
    assert_gradients_close(learned(lm, rows), learned(twin, rows), rel=1e-5)


def test_prompts_work_where_rows_run_one_by_one(tiny_model: Model) -> None:
    rows = tiny.random_rows(LENGTHS)
    lm = adapted("lfm2", SPECS["prompt"])
    assert not lm.packs_exactly
    prompt = lm.adapters[ROOT]
    assert isinstance(prompt, SoftPrompt)
    model = tiny_model("lfm2")

    def by_hand(ids: Sequence[int]) -> Tensor:
        words = model.get_input_embeddings()(torch.tensor([ids]))
        embeds = torch.cat((prompt.learned[None], words), 1)
        return model(inputs_embeds=embeds, use_cache=False).logits[0, N:]

    with torch.no_grad():
        true = torch.cat([by_hand(row.input_ids) for row in rows])
        assert_close(packed(lm, rows), true, rel=1e-4)
        prompts = [row.input_ids for row in tiny.random_rows((7, 2))]
        found = generate(lm, prompts, stop_ids=frozenset(), sampling=Sampling(max_new_tokens=4))
        for ids, answer in zip(prompts, found, strict=True):
            whole = ids
            for _ in range(4):
                whole = (*whole, int(by_hand(whole)[-1].argmax()))
            assert ids + answer.ids == whole


@pytest.mark.parametrize(
    ("family", "reason"), [("deepseek_v3", "latent"), ("lfm2", "layers of conv")]
)
def test_a_prefix_that_cannot_be_is_refused_with_a_reason(family: str, reason: str) -> None:
    with pytest.raises(ModelError, match=f"prefix tuning is not possible, .*{reason}"):
        add_adapter(tiny.tiny_model(family), SPECS["prefix"], seed=0)


def test_a_soft_prompt_starts_as_words(tiny_model: Model) -> None:
    model = tiny_model("gemma3_text")
    words = model.get_input_embeddings()(torch.tensor([5, 6, 7, 5, 6]))
    spec = PromptSpec(num_virtual_tokens=5, init_text="three words")
    part = add_adapter(model, spec, seed=0, text_ids=(5, 6, 7))[ROOT]
    assert torch.equal(part.tensors()["prompt_embeddings"], words)
    drawn_ = [
        add_adapter(tiny_model("llama"), SPECS["prompt"], seed=seed)[ROOT].tensors()
        for seed in (0, 0, 1)
    ]
    first, same, other = (each["prompt_embeddings"] for each in drawn_)
    assert torch.equal(first, same)
    assert not torch.equal(first, other)


def test_a_prefix_starts_as_the_words_before_a_row(tiny_model: Model) -> None:
    """At first a prefix is the text of its words."""
    model = tiny_model("llama")
    parts = add_adapter(model, SPECS["prefix"], seed=3)
    lm, (row,) = LM(model, parts), tiny.random_rows([6])
    generator = torch.Generator().manual_seed(3)
    words = torch.randint(tiny.VOCAB, (N,), generator=generator).tolist()
    with torch.no_grad():
        true = tiny_model("llama")(torch.tensor([[*words, *row.input_ids]])).logits[0, N:]
        assert_close(packed(lm, [row]), true, rel=1e-5)


def test_targets_of_ia3_can_be_named() -> None:
    model = tiny.tiny_model("llama")
    spec = IA3Spec(
        target_modules=("k_proj", "model.layers.1.mlp.up_proj"),
        feedforward_modules=("model.layers.1.mlp.up_proj",),
    )
    shapes = {path: part.ia3_l.shape for path, part in add_adapter(model, spec, seed=0).items()}
    assert shapes == {
        "model.layers.0.self_attn.k_proj": (16, 1),
        "model.layers.1.self_attn.k_proj": (16, 1),
        "model.layers.1.mlp.up_proj": (1, 32),
    }


def test_named_targets_of_ia3_reach_peft(tmp_path: Path) -> None:
    spec = IA3Spec(
        target_modules=("v_proj", "1.mlp.down_proj"), feedforward_modules=("1.mlp.down_proj",)
    )
    lm, rows = adapted("llama", spec), tiny.random_rows(LENGTHS)
    twin = in_peft("llama", stored(lm, spec, tmp_path))
    with torch.no_grad():
        assert_close(packed(lm, rows), one_by_one(twin, rows), rel=1e-5)


def test_a_feed_forward_that_is_no_target_is_refused() -> None:
    spec = IA3Spec(target_modules=("k_proj",), feedforward_modules=("down_proj",))
    with pytest.raises(ModelError, match="'down_proj' is none of target_modules"):
        add_adapter(tiny.tiny_model("llama"), spec, seed=0)


@every_kind
@pytest.mark.parametrize("change", [{"peft_type": "VERA"}, {"num_virtual_tokens": "many"}])
def test_a_config_that_is_not_understood_is_a_model_error(
    kind: str, change: dict[str, object], tmp_path: Path
) -> None:
    if kind == "ia3" and "num_virtual_tokens" in change:
        change = {"target_modules": ".*_proj"}
    stored(adapted("llama", SPECS[kind]), SPECS[kind], tmp_path)
    path = tmp_path / CONFIG_FILE
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(ModelError, match=CONFIG_FILE):
        read_adapter_spec(tmp_path)


@every_kind
def test_an_adapter_of_another_size_is_refused(kind: str, tmp_path: Path) -> None:
    stored(adapted("llama", SPECS[kind]), SPECS[kind], tmp_path)
    other = {"ia3": "phi3", "prompt": "llama", "prefix": "qwen3"}[kind]
    if kind == "prompt":
        path = tmp_path / CONFIG_FILE
        path.write_text(json.dumps({**json.loads(path.read_text()), "num_virtual_tokens": 3}))
    with pytest.raises(ModelError):
        load_adapter(tiny.tiny_model(other), tmp_path)


def test_a_reward_models_head_is_left_to_the_reward_model(tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    spec = LoraSpec(r=2, alpha=4)
    lm = adapted("llama", spec)
    stored(lm, spec, tmp_path)
    path = tmp_path / CONFIG_FILE
    config = {**json.loads(path.read_text()), "task_type": "SEQ_CLS", "modules_to_save": ["score"]}
    path.write_text(json.dumps(config))
    weights = tmp_path / "adapter_model.safetensors"
    save_file({**load_file(weights), "base_model.model.score.weight": torch.ones(1, 32)}, weights)
    model = tiny.tiny_model("llama")
    again = LM(model, load_adapter(model, tmp_path))
    rows = tiny.random_rows(LENGTHS)
    assert torch.equal(packed(again, rows), packed(lm, rows))
