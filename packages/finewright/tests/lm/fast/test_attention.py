"""Attention by segments against softmax over an explicit mask, in float64."""

import math
from collections.abc import Iterator, Sequence

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from transformers import PreTrainedConfig
from transformers.masking_utils import create_causal_mask, create_chunked_causal_mask
from transformers.masking_utils import create_sliding_window_causal_mask as create_window_mask

import tiny
from finewright.lm.batch import Segment
from finewright.lm.fast import attention, library, native
from finewright.lm.fast.attention import Window, varlen_attention
from referee import assert_close, distance, drawn

pytestmark = pytest.mark.torch

Segments = Sequence[Segment]
LAYER = nn.Identity()
# A prefix with three rows, one of a single token; a row alone; a prefix of one token.
TREE = (
    *(Segment(0, 21), Segment(21, 40, 0, 21), Segment(61, 1, 0, 21), Segment(62, 70, 0, 21)),
    Segment(132, 7),
    *(Segment(139, 1), Segment(140, 3, 139, 1), Segment(143, 18, 139, 1)),
)


def in_a_row(*lengths: int) -> tuple[Segment, ...]:
    return tuple(Segment(sum(lengths[:i]), n) for i, n in enumerate(lengths))


def length_of(segments: Segments) -> int:
    return segments[-1].start + segments[-1].length


def seen(segments: Segments, window: int | None) -> Tensor:
    """(T, T), true where token i sees token j; both stand at their places in their sequence."""
    tokens = length_of(segments)
    mask = torch.zeros(tokens, tokens, dtype=torch.bool)
    for start, length, prefix_start, prefix_length in segments:
        sequence = [
            *range(prefix_start, prefix_start + prefix_length),
            *range(start, start + length),
        ]
        for at in range(prefix_length, len(sequence)):
            first = max(0, at + 1 - window) if window else 0
            mask[sequence[at], sequence[first : at + 1]] = True
    return mask


def explicit(
    parts: Sequence[Tensor],
    segments: Segments,
    *,
    window: int | None = None,
    softcap: float | None = None,
    scale: float | None = None,
) -> Tensor:
    """softmax(q k^T scale) v over a (T, T) mask. Parts (1, heads, T, d) -> (1, T, heads, d_v)."""
    q, k, v = parts
    groups = q.shape[1] // k.shape[1]
    k, v = (t.repeat_interleave(groups, 1) for t in (k, v))
    logits = q @ k.mT * (scale or q.shape[-1] ** -0.5)
    if softcap:
        logits = softcap * torch.tanh(logits / softcap)
    mask = seen(segments, window)
    return (logits.masked_fill(~mask, -math.inf).softmax(-1) @ v).transpose(1, 2)


def heads_of(
    segments: Segments, heads: int, kv_heads: int, widths: tuple[int, int], *, seed: int = 0
) -> list[Tensor]:
    """Random q, k and v in the layout that a model's projections give: (1, heads, T, d) by strides."""
    tokens = length_of(segments)
    shapes = ((heads, widths[0]), (kv_heads, widths[0]), (kv_heads, widths[1]))
    return [
        drawn(1, tokens, count, width, seed=seed + i).transpose(1, 2)
        for i, (count, width) in enumerate(shapes)
    ]


def with_gradients(parts: Sequence[Tensor], upstream: Tensor, **options: object) -> list[Tensor]:
    """The engine's output, and the gradients of q, k and v."""
    leaves = [t.detach().requires_grad_() for t in parts]
    out, _ = varlen_attention(LAYER, *leaves, None, **options)
    out.backward(upstream.to(out.dtype))
    return [out.detach(), *(t.grad for t in leaves)]


def truth(
    parts: Sequence[Tensor], upstream: Tensor, segments: Segments, **options: float | None
) -> list[Tensor]:
    """The same in float64 by the definition."""
    leaves = [t.detach().double().requires_grad_() for t in parts]
    out = explicit(leaves, segments, **options)
    out.backward(upstream.double())
    return [out.detach(), *(t.grad for t in leaves)]


@pytest.mark.parametrize("segments", [in_a_row(11), in_a_row(4, 1, 6), in_a_row(1, 1, 9), TREE])
@pytest.mark.parametrize("window", [None, 1, 4, 6, 500])
@pytest.mark.parametrize(("softcap", "kv_heads"), [(None, 1), (1.5, 2), (None, 4)])
def test_float32_attention_is_that_of_an_explicit_mask(
    segments: Segments, window: int | None, softcap: float | None, kv_heads: int
) -> None:
    parts = heads_of(segments, 4, kv_heads, (8, 6))
    upstream = drawn(1, length_of(segments), 4, 6, seed=9)
    own = {"segments": segments, "sliding_window": window, "softcap": softcap}
    found = with_gradients(parts, upstream, **own)
    true = truth(parts, upstream, segments, window=window, softcap=softcap)
    for ours, right in zip(found, true, strict=True):
        assert_close(ours, right)


def test_without_segments_the_row_is_one_sequence_and_the_scale_is_the_given() -> None:
    parts = heads_of(in_a_row(5), 2, 2, (8, 8))
    out, _ = varlen_attention(LAYER, *parts, None, scaling=0.5)
    assert_close(out, explicit([t.double() for t in parts], in_a_row(5), scale=0.5))


def assert_as_near_as_torch(
    parts: Sequence[Tensor], segments: Segments, window: int | None = None
) -> None:
    """The kernel's bfloat16 output and gradients are no further from the truth than torch's own."""
    parts = [t.bfloat16() for t in parts]
    upstream = drawn(
        1, length_of(segments), parts[0].shape[1], parts[2].shape[3], seed=9
    ).bfloat16()
    options = {"segments": segments, "sliding_window": window}
    true = truth(parts, upstream, segments, window=window)
    found = with_gradients(parts, upstream, **options)
    with native.off():
        plain = with_gradients(parts, upstream, **options)
    for name, ours, torchs, right in zip("oqkv", found, plain, true, strict=True):
        assert ours.dtype == torch.bfloat16
        if right.norm() <= 1e-9:  # one token that sees itself: q and k have no slope
            assert ours.double().norm() <= 1e-2
            continue
        assert distance(ours, right) <= 1.2 * distance(torchs, right) + 1e-3, name
        # and no single number is wrong among many that are right
        assert worst(ours, right) <= 1.5 * worst(torchs, right) + 5e-3, name


def worst(found: Tensor, true: Tensor) -> float:
    """The largest difference beside the largest number."""
    return float((found.double() - true).abs().max() / true.abs().max())


WIDTHS = [(16, 16), (32, 32), (48, 48), (64, 64), (80, 80), (128, 128), (192, 128), (256, 256)]


@pytest.mark.parametrize("widths", WIDTHS, ids=str)
def test_every_width_of_a_head(attention_kernels: None, widths: tuple[int, int]) -> None:
    assert_as_near_as_torch(heads_of(TREE, 2, 1, widths), TREE)


@pytest.mark.parametrize("groups", range(1, 9))
@pytest.mark.parametrize("kv_heads", [1, 3])
def test_every_number_of_heads_in_a_group(
    attention_kernels: None, groups: int, kv_heads: int
) -> None:
    segments = in_a_row(17, 3)
    assert_as_near_as_torch(heads_of(segments, groups * kv_heads, kv_heads, (32, 32)), segments)


@pytest.mark.parametrize(
    "lengths",
    [(1,), (2,), (1, 1, 1), (15,), (16,), (17,), (47, 2), (48, 1), (1, 64, 63), (129,), (3, 260)],
    ids=str,
)
def test_every_length_and_odd_starts(attention_kernels: None, lengths: tuple[int, ...]) -> None:
    segments = in_a_row(*lengths)
    assert_as_near_as_torch(heads_of(segments, 2, 2, (32, 32)), segments)


@pytest.mark.parametrize("window", [1, 2, 15, 16, 17, 48, 64, 130, 1000])
@pytest.mark.parametrize("segments", [in_a_row(200), in_a_row(3, 130, 20), TREE], ids=len)
def test_every_window_also_over_prefixes(
    attention_kernels: None, segments: Segments, window: int
) -> None:
    assert_as_near_as_torch(heads_of(segments, 3, 1, (16, 16)), segments, window)


TREES = st.lists(
    st.tuples(st.integers(1, 40), st.lists(st.integers(1, 70), max_size=3)), min_size=1, max_size=4
)


def forest(trees: Sequence[tuple[int, Sequence[int]]]) -> Iterator[Segment]:
    """Prefixes with the rows that share them, laid end to end."""
    start = 0
    for length, rows in trees:
        prefix = Segment(start, length)
        yield prefix
        start += length
        for row in rows:
            yield Segment(start, row, prefix.start, prefix.length)
            start += row


def test_a_prefix_may_lie_before_trees_that_do_not_see_it() -> None:
    """As virtual tokens do, which rows without a copy of their own see from the front."""
    segments = (
        *(Segment(0, 20), Segment(20, 30, 0, 20)),
        *(Segment(50, 40), Segment(90, 9, 50, 40), Segment(99, 33, 50, 40)),
        *(Segment(132, 25, 0, 20), Segment(157, 5)),
    )
    assert native._trees(segments) == [0, 6]
    parts = heads_of(segments, 4, 2, (16, 16), seed=1)
    upstream = drawn(1, length_of(segments), 4, 16, seed=9)
    true = truth(parts, upstream, segments)
    for ours, right in zip(with_gradients(parts, upstream, segments=segments), true, strict=True):
        assert (ours.double() - right).abs().max() <= 1e-5 * max(1.0, right.abs().max())
    if library.status().dots:
        assert_as_near_as_torch(parts, segments, None)


@settings(max_examples=60)
@given(trees=TREES, window=st.none() | st.integers(1, 90), seed=st.integers(0, 99))
def test_any_forest_of_prefixes(
    trees: list[tuple[int, list[int]]], window: int | None, seed: int
) -> None:
    segments = tuple(forest(trees))
    parts = heads_of(segments, 2, 1, (16, 16), seed=seed)
    upstream = drawn(1, length_of(segments), 2, 16, seed=9)
    options = {"segments": segments, "sliding_window": window}
    true = truth(parts, upstream, segments, window=window)
    for ours, right in zip(with_gradients(parts, upstream, **options), true, strict=True):
        assert (ours.double() - right).abs().max() <= 1e-5 * max(1.0, right.abs().max())
    if library.status().dots:
        assert_as_near_as_torch(parts, segments, window)


def fused_projection(segments: Segments) -> list[Tensor]:
    """q, k and v as slices of one (1, T, all) matrix, two query heads to a key head."""
    row = drawn(1, length_of(segments), 4 * 32 + 6, seed=0).bfloat16()[..., 6:]
    q, k, v = row.split((64, 32, 32), -1)
    return [t.unflatten(-1, (-1, 32)).transpose(1, 2) for t in (q, k, v)]


def test_slices_of_one_projection_are_read_in_place(attention_kernels: None) -> None:
    parts = fused_projection(TREE)
    assert {t.stride(2) for t in parts} == {134}
    q, k, v = (t[0].transpose(0, 1) for t in parts)
    assert native.takes_heads(native.AttentionHeads(q, k, v, 1.0, 0))
    assert_as_near_as_torch(parts, TREE)


@pytest.mark.parametrize(
    ("width", "row", "dtype"),
    [(24, 24, torch.bfloat16), (16, 17, torch.bfloat16), (16, 16, torch.float32)],
    ids=["width", "odd stride", "float32"],
)
def test_heads_that_the_kernel_cannot_take_go_the_plain_way(
    attention_kernels: None, width: int, row: int, dtype: torch.dtype
) -> None:
    parts = [drawn(1, 2, 9, row, seed=i).to(dtype)[..., :width] for i in range(3)]
    q, k, v = (t[0].transpose(0, 1) for t in parts)
    assert not native.takes_heads(native.AttentionHeads(q, k, v, 1.0, 0))
    out, _ = varlen_attention(LAYER, *parts, None)
    assert_close(out, explicit([t.double() for t in parts], in_a_row(9)), rel=1e-2)


def test_large_logits_do_not_overflow(attention_kernels: None) -> None:
    segments = in_a_row(3, 60)
    q, k, v = heads_of(segments, 2, 2, (16, 16))
    assert_as_near_as_torch([q * 40, k * 40, v], segments)


def test_a_nan_is_not_lost_and_stays_in_its_sequence(attention_kernels: None) -> None:
    segments = in_a_row(40, 40)
    parts = [t.bfloat16().contiguous() for t in heads_of(segments, 1, 1, (16, 16))]
    parts[1][0, 0, 10, 0] = math.nan  # one number of one key
    upstream = drawn(1, 80, 1, 16, seed=9)
    out, *gradients = with_gradients(parts, upstream, segments=segments)
    assert out[0, 10:40].isnan().all()
    assert not out[0, :10].isnan().any()
    assert not out[0, 40:].isnan().any()
    assert all(t[0, 0, 11:40].isnan().any() for t in gradients[:1])


def test_the_number_of_threads_changes_no_bit(attention_kernels: None) -> None:
    parts = [t.bfloat16() for t in heads_of(TREE, 6, 2, (32, 32))]
    upstream = drawn(1, length_of(TREE), 6, 32, seed=9)
    before, found = torch.get_num_threads(), {}
    try:
        for threads in (1, 2):
            torch.set_num_threads(threads)
            loaded = library.status().library
            assert loaded is not None
            # torch may bring another OpenMP than the compiler's
            loaded.omp_set_num_threads(threads)
            assert loaded.omp_get_max_threads() == threads
            found[threads] = with_gradients(parts, upstream, segments=TREE, sliding_window=30)
    finally:
        torch.set_num_threads(before)
    assert all(torch.equal(a, b) for a, b in zip(found[1], found[2], strict=True))


class Layer(nn.Module):
    """What `why_plain` reads of an attention layer."""

    def __init__(self, **facts: object) -> None:
        super().__init__()
        self.__dict__.update(facts)


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        ({"head_dim": 64}, ""),
        ({"head_dim": 72}, "its heads are 72 wide, not a multiple of 16"),
        ({"qk_head_dim": 192, "v_head_dim": 120}, "its heads are 120 wide, not a multiple of 16"),
        ({"head_dim": 64, "attn_logit_softcapping": 50.0}, "its logits are soft-capped"),
    ],
    ids=["fits", "width", "width of values", "soft-capping"],
)
def test_the_reason_for_plain_attention_is_said(
    attention_kernels: None, facts: dict[str, object], reason: str
) -> None:
    like = nn.Linear(1, 1).bfloat16()
    like.dtype, like.device = torch.bfloat16, torch.device("cpu")
    assert attention.why_plain(Layer(**facts), like) == reason
    like.dtype = torch.float32
    assert attention.why_plain(Layer(**facts), like) == ""


def mask_of(make: object, **facts: object) -> object:
    config = PreTrainedConfig(attn_implementation=attention.NAME, **facts)
    embeds = torch.zeros(1, 9, 4)
    return make(config, embeds, None, None, position_ids=torch.arange(9)[None])


def test_of_transformers_masks_only_the_window_is_left() -> None:
    assert mask_of(create_causal_mask, sliding_window=4) is None
    assert mask_of(create_window_mask, sliding_window=4) == Window(4)


def test_a_mask_in_chunks_is_refused() -> None:
    with pytest.raises(ValueError, match="neither causal nor a sliding window"):
        mask_of(create_chunked_causal_mask, attention_chunk_size=4)


def test_a_window_that_only_the_mask_knows_is_seen() -> None:
    segments = in_a_row(4, 9)
    parts = heads_of(segments, 2, 1, (8, 8))
    out, _ = varlen_attention(LAYER, *parts, Window(3), segments=segments)
    assert_close(out, explicit([t.double() for t in parts], segments, window=3))


@pytest.mark.parametrize("family", tiny.FAMILIES)
def test_a_model_has_its_own_attention_again_after_another(family: str) -> None:
    model = tiny.tiny_model(family)
    ids = torch.tensor([[5, 6, 7, 8]])
    with torch.no_grad():
        own, true = model.config._attn_implementation, model(ids).logits
        for _ in range(3):
            with attention.using(model, attention.NAME):
                assert model.config._attn_implementation == attention.NAME
                assert model.base_model.config._attn_implementation == attention.NAME
                with attention.using(model, "eager"):
                    assert model.config._attn_implementation == "eager"
                assert model.config._attn_implementation == attention.NAME
            assert model.config._attn_implementation == own
            assert torch.equal(model(ids).logits, true)
