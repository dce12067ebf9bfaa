"""Log-probabilities of chosen tokens without ever holding all logits.

For a frozen head W (vocabulary V x width d) and rows h_i with targets y_i:

    logp_i   = (W h_i)[y_i] - logsumexp(W h_i)
    dlogp_i / dh_i = W[y_i] - softmax(W h_i) W

Both come from the same chunk of logits, so the gradient row is written in the forward pass and the
logits are dropped: memory is one chunk of logits plus one (N, d) buffer, instead of N x V twice.
The backward pass only scales each gradient row by its upstream gradient, so any method that is a
function of token log-probabilities (SFT, DPO, ORPO, KTO, GRPO, PPO) uses the same node. Only
supervised rows are passed in; prompt tokens never meet the head.
"""

from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function

from finewright.lm.fast import native

CHUNK_BYTES = 1 << 26


class _FrozenHeadLogps(Function):
    @staticmethod
    def forward(ctx: Any, hidden: Tensor, weight: Tensor, targets: Tensor) -> Tensor:
        logps = hidden.new_empty(hidden.shape[0], dtype=torch.float32)
        grads = torch.empty_like(hidden) if hidden.requires_grad else None
        rows = max(16, CHUNK_BYTES // (weight.element_size() * weight.shape[0]))
        for start in range(0, hidden.shape[0], rows):
            part = slice(start, start + rows)
            logits = torch.mm(hidden[part], weight.t())
            slopes = _score(logits, targets[part], logps[part], grad=grads is not None)
            if grads is not None:
                torch.mm(slopes, weight, out=grads[part])
        ctx.save_for_backward(*(() if grads is None else (grads,)))
        return logps

    @staticmethod
    def backward(ctx: Any, *upstream: Tensor) -> tuple[Tensor | None, None, None]:
        (grads,) = ctx.saved_tensors
        # in float32: 1 / N rounded to bfloat16 would scale every gradient by up to 0.4 %
        return (grads * upstream[0].float()[:, None]).to(grads.dtype), None, None


def _score(logits: Tensor, targets: Tensor, logps: Tensor, *, grad: bool) -> Tensor:
    """Write the targets' log-probabilities; with `grad`, return their slopes, onehot - softmax (n, V)."""
    if native.ready(logits):
        native.cross_entropy(logits, targets, logps, grad=grad)
        return logits
    log_p = torch.log_softmax(logits, -1, dtype=torch.float32)
    picked = targets[:, None]
    logps.copy_(log_p.gather(-1, picked).squeeze(-1))
    if not grad:
        return logits
    minus_p = log_p.exp_().neg_()
    minus_p.scatter_add_(-1, picked, torch.ones_like(picked, dtype=minus_p.dtype))
    return minus_p.to(logits.dtype)


def frozen_head_logps(hidden: Tensor, weight: Tensor, targets: Tensor) -> Tensor:
    """log p(targets_i | hidden_i), float32, shape (N,). hidden (N, d), weight (V, d) frozen, targets (N,)."""
    logps: Tensor = _FrozenHeadLogps.apply(hidden, weight, targets)  # type: ignore[no-untyped-call]
    return logps
