"""The native step gives the logits of the model, whatever else is in it, and says what it cannot take."""

import copy
from collections.abc import Callable, Iterator, Sequence
from random import Random

import pytest
import torch
from kinds import SPECS, adapted, learned
from torch import Tensor
from transformers import PreTrainedModel

import tiny
from finewright.errors import ModelError
from finewright.lm.adapters.lora import add_lora
from finewright.lm.batch import pack
from finewright.lm.engine.forward import BLOCK, Piece
from finewright.lm.engine.native import NativeForward, native_forward
from finewright.lm.engine.weights import AdapterWeights, LowRankDelta, RescaledFeatures, weights_of
from finewright.lm.fast import library
from finewright.schema.adapter import LoraSpec, Quantization

pytestmark = [
    pytest.mark.torch,
    pytest.mark.skipif(library.status().library is None, reason="no C++ compiler"),
]

FAMILIES = ("llama", "mistral", "qwen2", "qwen3", "gemma2", "gemma3_text", "phi3", "phi4_mini")
ROWS = [row.input_ids for row in tiny.random_rows([37, 1, 9, 18, 5], seed=3)]
Model = Callable[[str], PreTrainedModel]
Sequences = Sequence[tuple[str | None, Sequence[int]]]


@pytest.fixture
def two_threads() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(threads)


def forward_of(model: PreTrainedModel, num_blocks: int = 64) -> NativeForward:
    found = native_forward(model, num_blocks)
    assert isinstance(found, NativeForward), found
    return found


def logits_in_cuts(forward: NativeForward, sequences: Sequences, *, seed: int = 0) -> list[Tensor]:
    """All logits of each sequence, which is fed in cuts of random lengths and in scattered blocks."""
    random = Random(seed)  # noqa: S311 - no secret
    blocks = iter(random.sample(range(forward.num_blocks), forward.num_blocks))
    tables = [tuple(next(blocks) for _ in range(0, len(ids), BLOCK)) for _, ids in sequences]
    done = [0] * len(sequences)
    found: list[list[Tensor]] = [[] for _ in sequences]
    while any(at < len(ids) for at, (_, ids) in zip(done, sequences, strict=True)):
        pieces, owners = [], []
        for i, (adapter, ids) in enumerate(sequences):
            if done[i] < len(ids) and random.random() < 0.8:
                part = tuple(ids[done[i] : done[i] + random.choice((1, 1, 2, 5, 20))])
                pieces.append(Piece(part, done[i], tables[i], adapter, len(part)))
                owners.append(i)
        if pieces:
            logits = torch.split(forward.step(pieces), [p.num_logits for p in pieces])
            for i, own, piece in zip(owners, logits, pieces, strict=True):
                found[i].append(own)
                done[i] = piece.end
    return [torch.cat(parts) for parts in found]


@torch.no_grad()
def true_logits(model: PreTrainedModel, ids: Sequence[int]) -> Tensor:
    logits: Tensor = model(input_ids=torch.tensor([ids])).logits[0]
    return logits.float()


def distance(found: Tensor, true: Tensor) -> float:
    return float((found - true).abs().max() / true.abs().max())


@pytest.mark.parametrize("family", FAMILIES)
def test_logits_are_those_of_transformers(family: str, tiny_model: Model) -> None:
    """Rows are longer than the sliding window and than a block."""
    found = logits_in_cuts(forward_of(tiny_model(family)), [(None, ids) for ids in ROWS])
    for ids, logits in zip(ROWS, found, strict=True):
        assert distance(logits, true_logits(tiny_model(family), ids)) < 1e-5


@pytest.mark.parametrize("family", FAMILIES)
def test_bfloat16_is_as_near_to_float32_as_transformers_is(family: str, tiny_model: Model) -> None:
    rounded = tiny_model(family).bfloat16()
    exact = tiny_model(family).bfloat16().float()
    found = torch.cat(logits_in_cuts(forward_of(rounded), [(None, ids) for ids in ROWS]))
    own = torch.cat([true_logits(rounded, ids) for ids in ROWS])
    true = torch.cat([true_logits(exact, ids) for ids in ROWS])
    assert 0 < (found - true).norm() < 1.1 * (own - true).norm()


@pytest.mark.parametrize("kind", SPECS)
@pytest.mark.parametrize("family", FAMILIES)
def test_an_adapter_beside_the_base_is_the_adapted_model(
    family: str, kind: str, tiny_model: Model
) -> None:
    lm = adapted(family, kind)
    batch = pack(tiny.random_rows([37, 9], seed=3), lm.device)
    with torch.no_grad():
        true = lm.logits(lm.compute_states(batch))
    weights = weights_of(lm.adapters)
    for model in (tiny_model(family), lm.model):  # with an adapter's wrappers or without
        forward = forward_of(model)
        forward.load("a", weights)
        virtual = forward.num_virtual("a")
        sequences = [
            ("a", (0,) * virtual + row.input_ids) for row in tiny.random_rows([37, 9], seed=3)
        ]
        found = torch.cat([part[virtual:] for part in logits_in_cuts(forward, sequences)])
        assert distance(found, true) < 1e-4


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_neighbours_change_no_bit(dtype: torch.dtype, tiny_model: Model) -> None:
    """Every kind of adapter in one step, against each sequence alone, in other cuts and blocks."""
    forward = forward_of(tiny_model("gemma3_text").to(dtype))
    for kind in SPECS:
        forward.load(kind, learned("gemma3_text", kind))
    sequences = [
        (kind, (0,) * forward.num_virtual(kind) + ids)
        for kind, ids in zip((None, *SPECS), [*ROWS, *ROWS], strict=False)
    ]
    together = logits_in_cuts(forward, sequences)
    for i, sequence in enumerate(sequences):
        (alone,) = logits_in_cuts(forward, [sequence], seed=i + 1)
        assert torch.equal(together[i], alone), sequence[0]


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("family", ["gemma3_text", "qwen3"])
def test_cuts_of_a_long_prompt_change_no_bit(
    family: str, dtype: torch.dtype, tiny_model: Model
) -> None:
    """Over the borders of attention's tiles, with and without a window that begins within one."""
    model = tiny_model(family).to(dtype)
    forward = forward_of(model)
    ids = tuple(tiny.random_rows([400], seed=7)[0].input_ids)
    whole = forward.step([Piece(ids, 0, tuple(range(1, 26)), None, len(ids))])
    (cut,) = logits_in_cuts(forward, [(None, ids)])
    assert torch.equal(whole, cut)
    assert distance(whole, true_logits(model.float(), ids)) < (
        1e-5 if dtype is torch.float32 else 0.1
    )


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("every", [False, True])
@pytest.mark.usefixtures("two_threads")
def test_many_rows_of_many_adapters_change_no_bit(
    every: bool, dtype: torch.dtype, tiny_model: Model
) -> None:
    """So many that each thread takes its own, and of the last layer those whose logits are wanted."""
    forward = forward_of(tiny_model("gemma3_text").to(dtype), 128)
    for kind in SPECS:
        forward.load(kind, learned("gemma3_text", kind))
    kinds = (None, *SPECS)
    rows = tiny.random_rows([70 + 5 * i for i in range(len(kinds))], seed=4)
    sequences = [
        (kind, (0,) * forward.num_virtual(kind) + row.input_ids)
        for kind, row in zip(kinds, rows, strict=True)
    ]
    blocks = iter(range(128))
    tables = [tuple(next(blocks) for _ in range(0, len(ids), BLOCK)) for _, ids in sequences]
    pieces = [
        Piece(tuple(ids), 0, table, kind, len(ids) if every else i % 3)
        for i, ((kind, ids), table) in enumerate(zip(sequences, tables, strict=True))
    ]
    together = forward.step(pieces)
    values, tokens = together.max(-1)
    highest = forward.highest(pieces)
    assert torch.equal(highest.values, values)
    assert torch.equal(highest.tokens, tokens)
    alone = [
        forward.step([Piece(tuple(ids), 0, table, kind, len(ids))])
        for (kind, ids), table in zip(sequences, tables, strict=True)
    ]
    kept = [each if every else each[len(each) - i % 3 :] for i, each in enumerate(alone)]
    assert torch.equal(together, torch.cat(kept))


@pytest.mark.parametrize("lengths", [[1], [3] * 11, [40] * 5])
@pytest.mark.usefixtures("two_threads")
def test_more_threads_than_cores_change_no_bit(lengths: list[int], tiny_model: Model) -> None:
    """Most are kept from a core at any time, and others do what is theirs."""
    forward = forward_of(tiny_model("gemma3_text"), 64)
    rows = tiny.random_rows(lengths, seed=6)
    pieces = [
        Piece(row.input_ids, 0, tuple(range(3 * i, 3 * i + 3)), None, 1)
        for i, row in enumerate(rows)
    ]
    found = []
    for threads in (1, 2, 13):
        torch.set_num_threads(threads)
        found += [forward.step(pieces) for _ in range(5)]
        found += [forward.highest(pieces).values[:, None] for _ in range(2)]
    assert all(torch.equal(each.amax(-1), found[0].amax(-1)) for each in found)
    assert all(torch.equal(each, found[0]) for each in found if each.shape == found[0].shape)


@pytest.mark.parametrize("count", [1, 70])
@pytest.mark.usefixtures("two_threads")
def test_of_equal_logits_the_first_is_the_highest_and_no_number_is_above_all(
    count: int, tiny_model: Model
) -> None:
    model = copy.deepcopy(tiny_model("qwen3"))
    head = model.get_output_embeddings().weight
    assert head is not model.get_input_embeddings().weight
    forward = forward_of(model, 8)
    pieces = [Piece(ROWS[0] * 2, 0, tuple(range(1, 7)), None, count)]
    with torch.no_grad():
        head[:] = head[9].clone()
        logits, (_, tokens) = forward.step(pieces), forward.highest(pieces)
        assert torch.equal(tokens, logits.argmax(-1))
        assert (logits == logits[:, :1]).all()
        head[[11, 200]] = float("nan")
        values, tokens = forward.highest(pieces)
    assert values.isnan().all()
    assert (tokens == 11).all()


def test_a_hundred_adapters_cost_their_own_bytes(tiny_model: Model) -> None:
    """B's outputs are padded to 64s; nothing of the base is held for them."""
    forward = forward_of(tiny_model("llama"), 1)
    weights = learned("llama", "lora")
    for i in range(100):
        forward.load(f"{i}", weights)
    deltas = [each for each in weights.linears.values() if isinstance(each, LowRankDelta)]
    own = sum(4 * len(d.a) * (d.a.shape[1] + -(-len(d.b) // 64) * 64) for d in deltas)
    kept = [each for loaded in forward._adapters.values() for each in loaded.kept]
    held = sum(each.untyped_storage().nbytes() for each in kept if isinstance(each, Tensor))
    assert held == 100 * own > 0


def test_a_copied_block_is_the_block_and_an_unloaded_adapter_is_gone(tiny_model: Model) -> None:
    forward = forward_of(tiny_model("llama"), 4)
    ids = ROWS[0][: BLOCK + 1]
    forward.step([Piece(ids[:BLOCK], 0, (2,))])
    forward.copy_block(2, 1)
    found = forward.step([Piece(ids[BLOCK:], BLOCK, (1, 3), None, 1)])
    assert distance(found, true_logits(tiny_model("llama"), ids)[-1:]) < 1e-5
    forward.load("a", learned("llama", "lora"))
    forward.unload("a")
    with pytest.raises(KeyError):
        forward.step([Piece(ids, 0, (0, 1), "a")])


def test_a_later_position_than_any_before_has_its_angle(tiny_model: Model) -> None:
    """Beyond the tables that are made at first."""
    forward = forward_of(tiny_model("llama"), 80)
    ids = tuple(tiny.random_rows([1050], seed=1)[0].input_ids)
    for part in (slice(0, 700), slice(700, 1050)):
        found = forward.step([Piece(ids[part], part.start, tuple(range(80)), None, 1)])
    assert distance(found, true_logits(tiny_model("llama"), ids)[-1:]) < 1e-4


def test_more_rows_than_go_through_a_layer_together(tiny_model: Model) -> None:
    """A slab ends within the second adapter's sequence."""
    forward = forward_of(tiny_model("qwen3"), 64)
    for kind in ("lora", "dora"):
        forward.load(kind, learned("qwen3", kind))
    rows = [row.input_ids for row in tiny.random_rows([340, 600], seed=5)]
    pieces = [
        Piece(rows[0], 0, tuple(range(22)), "lora", 340),
        Piece(rows[1], 0, tuple(range(22, 60)), "dora", 600),
    ]
    together = forward.step(pieces)
    assert torch.equal(together, torch.cat([forward.step([piece]) for piece in pieces]))
    batch = pack(tiny.random_rows([340, 600], seed=5)[1:], torch.device("cpu"))
    lm = adapted("qwen3", "dora")
    with torch.no_grad():
        assert distance(together[340:], lm.logits(lm.compute_states(batch))) < 1e-4


@pytest.mark.parametrize(
    ("family", "reason"),
    [
        ("mixtral", "MixtralSparseMoeBlock is no gated MLP"),
        ("glm4", "the parts of Glm4DecoderLayer are not known"),
        ("deepseek_v3", "the parts of DeepseekV3Attention are not known"),
        ("lfm2", "its parts are not known"),
    ],
)
def test_what_is_not_known_is_said(family: str, reason: str, tiny_model: Model) -> None:
    found = native_forward(tiny_model(family), 4)
    assert isinstance(found, str)
    assert reason in found


def test_a_model_that_computes_something_else_is_found_out(tiny_model: Model) -> None:
    model = tiny_model("llama")
    model.model.layers[1].mlp.register_forward_hook(lambda *parts: parts[2] * 1.001)
    assert native_forward(model, 4) == "LlamaForCausalLM: other numbers"


@pytest.mark.parametrize(
    ("path", "delta"),
    [
        ("model.layers.9.mlp.up_proj", LowRankDelta(torch.ones(1, 32), torch.ones(48, 1), 1.0)),
        ("model.layers.0.mlp.up_proj", LowRankDelta(torch.ones(1, 48), torch.ones(48, 1), 1.0)),
        ("model.layers.0.mlp.up_proj", LowRankDelta(torch.ones(2, 32), torch.ones(48, 1), 1.0)),
        ("model.layers.0.mlp.up_proj", LowRankDelta(torch.ones(1, 32), torch.ones(32, 1), 1.0)),
        (
            "model.layers.0.mlp.up_proj",
            LowRankDelta(torch.ones(1, 32), torch.ones(48, 1), 1.0, torch.ones(1)),
        ),
        ("model.layers.0.mlp.up_proj", RescaledFeatures(torch.ones(32), at_input=True)),
        ("model.layers.0.mlp.up_proj", RescaledFeatures(torch.ones(32), at_input=False)),
        ("model.layers.0.mlp.down_proj", RescaledFeatures(torch.ones(32), at_input=True)),
    ],
)
def test_an_adapter_that_does_not_fit_is_refused(
    path: str, delta: LowRankDelta | RescaledFeatures, tiny_model: Model
) -> None:
    with pytest.raises(ModelError, match=path):
        forward_of(tiny_model("llama")).load("a", AdapterWeights({path: delta}))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("quantization", ["int8", "nf4"])
@pytest.mark.parametrize("family", ["qwen2", "phi3"])
def test_what_is_served_is_what_was_trained(
    family: str, quantization: Quantization, dtype: torch.dtype, tiny_model: Model
) -> None:
    """Packed weights give, bit for bit, what the same weights give when they are kept whole."""
    packed, whole = tiny_model(family).to(dtype), tiny_model(family).to(dtype)
    spec = LoraSpec(r=4, quantization=quantization)
    for path, part in add_lora(packed, spec, seed=0).items():
        whole.get_submodule(path).weight.data.copy_(part.read_weight())
    found, true = (
        torch.cat(logits_in_cuts(forward_of(model), [(None, ids) for ids in ROWS]))
        for model in (packed, whole)
    )
    assert torch.equal(found, true)


def test_weights_that_are_trained_are_read_as_they_are(tiny_model: Model) -> None:
    model = tiny_model("qwen2")
    forward = forward_of(model)
    model.requires_grad_(True)
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.1, fused=True)
    model(input_ids=torch.tensor([ROWS[0]])).logits.square().mean().backward()
    optimizer.step()
    (found,) = logits_in_cuts(forward, [(None, ROWS[0])])
    assert distance(found, true_logits(model, ROWS[0])) < 1e-5


@pytest.mark.parametrize("kind", ["embeddings", "states"])
def test_virtual_tokens_of_another_width_are_refused(kind: str, tiny_model: Model) -> None:
    weights = AdapterWeights(**{kind: torch.ones(3, 8)})
    with pytest.raises(ModelError, match=r"adapter 'a'.*\(3, 8\).*needs \(3, "):
        forward_of(tiny_model("llama")).load("a", weights)
