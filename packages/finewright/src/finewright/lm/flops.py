"""The arithmetic that training a token takes, whoever does it: the measure of an engine's waste."""

from collections.abc import Sequence

from torch import nn

from finewright.lm.model import LM

_FROZEN, _TRAINED = 4, 6


def flops_per_token(lm: LM, trained_share: float) -> float:
    """4 x frozen and 6 x trained parameters of linears and adapters, the head's times the share of tokens
    learned.

    A parameter costs a multiply and an add in the forward pass, again for the gradient of its input, and
    again for its own gradient when it is trained; the head is needed at learned tokens only. Attention,
    norms, embeddings, virtual tokens, experts of a mixture and what is computed twice are not counted."""
    head = lm.model.get_output_embeddings()
    linears = [m for m in lm.model.modules() if isinstance(m, nn.Linear)]
    found = 0.0
    for linear in linears:
        size = linear.in_features * linear.out_features * (trained_share if linear is head else 1.0)
        found += size * (_TRAINED if _learns(linear) else _FROZEN)
    return float(found + _TRAINED * _num_factors(lm, linears))


def _num_factors(lm: LM, linears: Sequence[nn.Linear]) -> int:
    """Trained numbers of matrices that are neither of a linear nor the embeddings: an adapter's."""
    counted = {id(linear.weight) for linear in linears}
    counted.add(id(lm.model.get_input_embeddings().weight))
    factors = [p for p in lm.model.parameters() if p.requires_grad and p.dim() == 2]  # noqa: PLR2004
    return sum(p.numel() for p in factors if id(p) not in counted)


def _learns(linear: nn.Linear) -> bool:
    return linear.weight is not None and linear.weight.requires_grad
