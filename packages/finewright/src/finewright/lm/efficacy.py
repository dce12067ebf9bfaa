"""Does what was stored do what was trained? Losses alone do not tell: an adapter can train well and reach
nothing when it generates, or come back from its folder as another one.

What was stored is loaded afresh, and four things are measured: its tensors are those that were trained, bit
by bit; the logits that chose each greedily generated token are those of one forward over the same sequence;
they are not the base's; and each layer gives the same as the one weight that it would be merged into."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from finewright.lm.adapters.linears import OnLinear
from finewright.lm.example import EncodedRow
from finewright.lm.generate import trace
from finewright.lm.load import load_lm
from finewright.lm.model import LM
from finewright.lm.sources import LocalBase

NUM_TOKENS = 8
NO_CHANGE = "logits against the base's"
"""The one finding that is no fault of what was stored."""
_MERGED = 1e-5
_ROWS = 4


class _Bar(NamedTuple):
    """The distance, as a share of the logits' spread, that this share of the tokens must keep to."""

    distance: float
    tokens: float


# In bfloat16 two right ways to sum part by a few per cent (see probe.py), and now and then by far more:
# 0.014 to 0.030 at the middle token and 0.04 to 0.13 at the farthest, for six kinds of adapters on SmolLM2
# 135M and Gemma 3 270M. An adapter that generation loses is lost at every token but the first.
SAME_LOGITS = {"fp32": _Bar(1e-3, 1.0), "bf16": _Bar(0.1, 0.5)}


@dataclass(frozen=True, slots=True)
class EfficacyFinding:
    """Something that was measured, and the bar that it had to keep to."""

    name: str
    measured: float
    bar: float
    passed: bool


def efficacy(
    lm: LM,
    base: LocalBase,
    trained: Mapping[str, Tensor],
    prompts: Sequence[Sequence[int]],
    *,
    dtype: Literal["bf16", "fp32"],
    consent: str = "",
) -> tuple[EfficacyFinding, ...]:
    """Measure a model, an adapter or a whole one, as it came back from its folder in `dtype`.

    `trained` is what `LM.tensors_to_store` gave, so the trained model itself need not be in memory. In fp32,
    which costs the base's weights in four bytes each, small faults show that bf16's roundings hide."""
    traces = trace(lm, prompts, NUM_TOKENS)
    rows = [tuple(prompt) + found.ids for prompt, found in zip(prompts, traces, strict=True)]
    whole = _forward(lm, rows)
    if lm.adapters:
        with lm.reference():
            before = _forward(lm, rows)
    else:
        before = _forward(load_lm(base, None, dtype=dtype, consent=consent), rows)
    bar = SAME_LOGITS[dtype]
    same = _distances([found.logits for found in traces], whole).quantile(bar.tokens)
    return (
        _at_most("stored numbers that differ from the trained", _differing(lm, trained), 0),
        _at_most("generated logits against one forward's", float(same), bar.distance),
        _more_than(NO_CHANGE, float(_distances(whole, before).max()), 0),
        *_check_merge(lm),
    )


def merge_error(part: OnLinear) -> float:
    """How far a layer, in float32, is from the one weight that it would be merged into, of its output."""
    twin, weight, bias = part.in_float32().eval(), part.merge(), part.merge_bias()
    x = torch.randn(_ROWS, weight.shape[1], generator=torch.Generator().manual_seed(0))
    x = x.to(weight.device)
    with torch.no_grad():
        wanted = F.linear(x, weight, None if bias is None else bias.float())
        return float((twin(x) - wanted).abs().max() / wanted.abs().max())


def _check_merge(lm: LM) -> list[EfficacyFinding]:
    errors = [merge_error(part) for part in lm.adapters.values() if isinstance(part, OnLinear)]
    return [_at_most("merged layers against the adapter's", max(errors), _MERGED)] if errors else []


def _differing(lm: LM, trained: Mapping[str, Tensor]) -> int:
    """Numbers that came back as others, or not at all."""
    found: Mapping[str, Tensor] = lm.tensors_to_store() or dict(lm.model.named_parameters())
    missing = sum(trained[name].numel() for name in trained.keys() - found.keys())
    alike = trained.keys() & found.keys()
    return missing + sum(
        int((trained[name].to(found[name]) != found[name]).sum()) for name in alike
    )


@torch.no_grad()
def _forward(lm: LM, rows: Sequence[tuple[int, ...]]) -> list[Tensor]:
    """The logits (NUM_TOKENS, V) that choose each row's last tokens, by one forward, on the CPU."""
    found = []
    for row in rows:
        batch = lm.pack([[EncodedRow(row, (False,) * len(row))]])
        states = lm.compute_states(batch)[-NUM_TOKENS - 1 : -1]
        found.append(lm.logits(states).float().cpu())
    return found


def _distances(found: Sequence[Tensor], true: Sequence[Tensor]) -> Tensor:
    """The distance of each token's logits, as a share of their spread."""
    a, b = torch.cat(list(found)), torch.cat(list(true))
    spread = (b - b.mean(1, keepdim=True)).norm(dim=1)
    distances: Tensor = (a - b).norm(dim=1) / spread
    return distances


def _at_most(name: str, measured: float, bar: float) -> EfficacyFinding:
    return EfficacyFinding(name, float(measured), bar, measured <= bar)


def _more_than(name: str, measured: float, bar: float) -> EfficacyFinding:
    return EfficacyFinding(name, measured, bar, measured > bar)
