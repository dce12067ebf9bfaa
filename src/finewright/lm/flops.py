"""The arithmetic that training a token takes, whoever does it: the measure of an engine's waste."""

from torch import nn

from finewright.lm.model import LM

_FROZEN, _TRAINED = 4, 6


def flops_per_token(lm: LM, trained_share: float) -> float:
    """4 x frozen linear parameters + 6 x trained parameters + 4 x head parameters x share of tokens learned.

    A parameter costs a multiply and an add in the forward pass, again for the gradient of its input, and
    again for its own gradient when it is trained; the head is needed at learned tokens only. Attention,
    norms, the experts of a mixture and anything computed twice are not counted."""
    head = lm.model.get_output_embeddings()
    linears = [m for m in lm.model.modules() if isinstance(m, nn.Linear) and m is not head]
    frozen = sum(m.in_features * m.out_features for m in linears)
    trained = sum(p.numel() for p in lm.parameters())
    scored = head.in_features * head.out_features * trained_share
    return float(_FROZEN * (frozen + scored) + _TRAINED * trained)
