"""Log-probabilities of chosen tokens without ever holding all logits.

For a head W (vocabulary V x width d) with rows h_i, targets y_i, and f what a family does to its logits
(Gemma 2 caps them; most do nothing):

    logp_i   = f(W h_i)[y_i] - logsumexp(f(W h_i))          slope_i = f'(W h_i) * (onehot_i - softmax_i)
    dlogp_i / dh_i = slope_i W                              dlogp_i / dW = slope_i^T h_i

Of a frozen head, logp and the gradient row come from the same chunk of logits, so the row is written in the
forward pass and the logits are dropped: memory is one chunk of logits plus one (N, d) buffer, instead of
N x V twice, and the backward pass only scales each row by its upstream gradient. What W itself gets depends
on the upstream gradients: a head that learns makes each chunk again in the backward pass, and sums its
gradient in float32.

Any method that is a function of token log-probabilities uses the same node.
Only supervised rows are passed in; prompt tokens never meet the head.
"""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd import Function

from finewright.lm.accumulate import row_parts
from finewright.lm.fast import native

CHUNK_BYTES = 1 << 26

Change = Callable[[Tensor], Tensor]


class Head(NamedTuple):
    """Weight (V, d), bias (V,), and what is done to the logits, number by number."""

    weight: Tensor
    bias: Tensor | None = None
    change: Change | None = None


class _FrozenHeadLogps(Function):
    @staticmethod
    def forward(ctx: Any, hidden: Tensor, head: Head, targets: Tensor) -> Tensor:
        logps = hidden.new_empty(hidden.shape[0], dtype=torch.float32)
        grads = torch.empty_like(hidden) if hidden.requires_grad else None
        for part in _chunks(hidden, head):
            logits = _logits(hidden[part], head)
            slopes = _slopes(logits, targets[part], logps[part], head, grad=grads is not None)
            if grads is not None:
                torch.mm(slopes, head.weight, out=grads[part])
        ctx.save_for_backward(*(() if grads is None else (grads,)))
        return logps

    @staticmethod
    def backward(ctx: Any, *upstream: Tensor) -> tuple[Tensor | None, None, None]:
        (grads,) = ctx.saved_tensors
        # in float32: 1 / N rounded to bfloat16 would scale every gradient by up to 0.4 %
        return (grads * upstream[0].float()[:, None]).to(grads.dtype), None, None


class _TrainedHeadLogps(Function):
    @staticmethod
    def forward(
        ctx: Any,
        hidden: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        change: Change | None,
        targets: Tensor,
    ) -> Tensor:
        head = Head(weight, bias, change)
        logps = hidden.new_empty(hidden.shape[0], dtype=torch.float32)
        for part in _chunks(hidden, head):
            _slopes(_logits(hidden[part], head), targets[part], logps[part], head, grad=False)
        ctx.save_for_backward(hidden, weight, bias, targets)
        ctx.change = change
        return logps

    @staticmethod
    def backward(ctx: Any, *upstream: Tensor) -> tuple[Tensor | None, ...]:
        hidden, weight, bias, targets = ctx.saved_tensors
        head, g = Head(weight, bias, ctx.change), upstream[0].float()[:, None]
        d_hidden = torch.empty_like(hidden)
        d_weight = torch.zeros_like(weight, dtype=torch.float32)
        d_bias = None if bias is None else torch.zeros_like(bias, dtype=torch.float32)
        dropped = hidden.new_empty(hidden.shape[0], dtype=torch.float32)
        for part in _chunks(hidden, head):
            logits = _logits(hidden[part], head)
            slopes = _slopes(logits, targets[part], dropped[part], head, grad=True)
            d_hidden[part] = (slopes @ weight) * g[part]
            scaled = (hidden[part] * g[part]).to(hidden.dtype)
            for some in row_parts(d_weight):  # nor ever a second matrix of the head's size
                d_weight[some].add_(slopes[:, some].t() @ scaled)
            if d_bias is not None:
                d_bias += (slopes * g[part]).sum(0)
        return (
            d_hidden,
            d_weight.to(weight.dtype),
            None if bias is None or d_bias is None else d_bias.to(bias.dtype),
            None,
            None,
        )


def _chunks(hidden: Tensor, head: Head) -> Iterator[slice]:
    vocabulary = head.weight.shape[0]
    size = head.weight.element_size() if head.change is None else 4  # a change is made in float32
    rows = max(16, CHUNK_BYTES // (size * vocabulary))
    return (slice(start, start + rows) for start in range(0, hidden.shape[0], rows))


def _logits(rows: Tensor, head: Head) -> Tensor:
    if head.bias is None:
        return torch.mm(rows, head.weight.t())
    return torch.addmm(head.bias, rows, head.weight.t())


def _slopes(logits: Tensor, targets: Tensor, logps: Tensor, head: Head, *, grad: bool) -> Tensor:
    """Write the targets' log-probabilities; with `grad`, return the slopes of the logits (n, V)."""
    if head.change is None:
        return _score(logits, targets, logps, grad=grad)
    with torch.enable_grad():
        wide = logits.detach().float().requires_grad_(grad)
        changed = head.change(wide)
    slopes = _score(changed.detach(), targets, logps, grad=grad)
    if grad:
        (slopes,) = torch.autograd.grad(changed, wide, slopes)
    return slopes.to(logits.dtype)


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


def logps(hidden: Tensor, head: Head, targets: Tensor) -> Tensor:
    """log p(targets_i | hidden_i), float32, shape (N,). hidden (N, d), targets (N,)."""
    found: Tensor
    if head.weight.requires_grad and torch.is_grad_enabled():
        found = _TrainedHeadLogps.apply(  # type: ignore[no-untyped-call]
            hidden, head.weight, head.bias, head.change, targets
        )
    else:
        found = _FrozenHeadLogps.apply(hidden, head, targets)  # type: ignore[no-untyped-call]
    return found
