"""AdamW over what is trained; weights in bfloat16 learn through a float32 copy.

A step of Adam is about the learning rate, and bfloat16 keeps 8 bits of a weight: most steps would round to
nothing. So a bfloat16 weight has a master in float32 (Micikevicius et al. 2018, arXiv:1710.03740): gradients
are summed into it, the step is taken there, and the weight is its rounding."""

from collections.abc import Callable, Iterator, Mapping, Sequence

import torch
from torch import Tensor, nn

from finewright.lm.accumulate import add_into


class Optimizer:
    """AdamW (Loshchilov & Hutter 2019, arXiv:1711.05101) over parameters of any float format.

    Vectors do not decay: norms, biases and DoRA's magnitudes are scales and offsets, which zero does not
    make simpler."""

    def __init__(self, parameters: Sequence[nn.Parameter], *, weight_decay: float) -> None:
        self.parameters = list(parameters)
        self.masters = [_master(p) for p in self.parameters]
        groups = [
            {"params": [m for m in self.masters if m.dim() > 1], "weight_decay": weight_decay},
            {"params": [m for m in self.masters if m.dim() <= 1], "weight_decay": 0.0},
        ]
        self.adamw = torch.optim.AdamW(groups, lr=0.0, fused=True)
        self._hooks = [
            parameter.register_post_accumulate_grad_hook(  # type: ignore[no-untyped-call]
                _summing_into(master)
            )
            for parameter, master in self._copies()
        ]

    def set_learning_rate(self, learning_rate: float) -> None:
        """Of the steps from here on."""
        for group in self.adamw.param_groups:
            group["lr"] = learning_rate

    def clip(self, max_norm: float) -> Tensor:
        """Scale the gradients down to this norm; the norm before."""
        return nn.utils.clip_grad_norm_(self.masters, max_norm)

    @torch.no_grad()
    def step(self) -> None:
        """Move the weights, and drop the gradients."""
        self.adamw.step()
        self.adamw.zero_grad(set_to_none=True)
        for parameter, master in self._copies():
            parameter.copy_(master)

    def let_go(self) -> None:
        """Leave the parameters as any other optimizer finds them; this one takes no step any more."""
        for hook in self._hooks:
            hook.remove()

    def tensors(self) -> dict[str, Tensor]:
        """All that decides the next step: moments and step counts by AdamW's number of a parameter, which
        counts vectors last, and masters by ours."""
        state: dict[int, dict[str, Tensor]] = self.adamw.state_dict()["state"]
        tensors = {
            f"{number}.{field}": tensor
            for number, fields in state.items()
            for field, tensor in fields.items()
        }
        for number, (parameter, master) in enumerate(self._pairs()):
            if master is not parameter:
                tensors[f"{number}.master"] = master.detach()
        return tensors

    @torch.no_grad()
    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        """The inverse of `tensors`."""
        state: dict[int, dict[str, Tensor]] = {}
        for name, tensor in tensors.items():
            number, _, field = name.partition(".")
            if field == "master":
                self.masters[int(number)].copy_(tensor)
            else:
                state.setdefault(int(number), {})[field] = tensor
        full = self.adamw.state_dict()
        full["state"] = state
        self.adamw.load_state_dict(full)

    def _pairs(self) -> Iterator[tuple[nn.Parameter, nn.Parameter]]:
        yield from zip(self.parameters, self.masters, strict=True)

    def _copies(self) -> Iterator[tuple[nn.Parameter, nn.Parameter]]:
        yield from ((p, master) for p, master in self._pairs() if p is not master)


def _master(parameter: nn.Parameter) -> nn.Parameter:
    if parameter.dtype == torch.float32:
        return parameter
    return nn.Parameter(parameter.detach().float())


def _summing_into(master: nn.Parameter) -> Callable[[nn.Parameter], None]:
    def hook(parameter: nn.Parameter) -> None:
        assert parameter.grad is not None
        if master.grad is None:
            master.grad = parameter.grad.float()
        else:
            add_into(master.grad, parameter.grad)
        parameter.grad = None

    return hook
