"""AdamW over what is trained; weights in bfloat16 learn through a float32 copy.

A step of Adam is about the learning rate, and bfloat16 keeps 8 bits of a weight: most steps would round to
nothing. So a bfloat16 weight has a master in float32 (Micikevicius et al. 2018, arXiv:1710.03740): gradients
are summed into it, the step is taken there, and the weight is its rounding. A weight in shards has a master
of this process's shard, in any format."""

from collections.abc import Callable, Iterator, Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.distributed.tensor import DTensor

from finewright.lm.accumulate import add_into
from finewright.lm.sharded import own_part, part_like, shard_like
from finewright.train.ranks import ALONE, Ranks


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

    def sum_gradients(self, ranks: Ranks) -> None:
        """Let every rank have the sum of all ranks' gradients; those of shards are summed as they come."""
        ranks.sum_gradients([m for p, m in self._pairs() if not isinstance(p, DTensor)])

    def clip(self, max_norm: float, ranks: Ranks = ALONE) -> Tensor:
        """Scale the gradients down to this norm, which is that of all ranks' shards; the norm before."""
        shards = [m for p, m in self._pairs() if isinstance(p, DTensor)]
        if not shards:
            return nn.utils.clip_grad_norm_(self.masters, max_norm)
        others = [m for p, m in self._pairs() if not isinstance(p, DTensor)]
        squares = ranks.sum(_square_norm(shards)) + _square_norm(others)
        norm = torch.tensor(squares**0.5, device=self.masters[0].device)
        nn.utils.clip_grads_with_norm_(self.masters, max_norm, norm)
        return norm

    @torch.no_grad()
    def step(self) -> None:
        """Move the weights, and drop the gradients."""
        self.adamw.step()
        self.adamw.zero_grad(set_to_none=True)
        for parameter, master in self._copies():
            own_part(parameter).copy_(master)

    def let_go(self) -> None:
        """Leave the parameters as any other optimizer finds them; this one takes no step any more."""
        for hook in self._hooks:
            hook.remove()

    def tensors(self) -> dict[str, Tensor]:
        """All that decides the next step: moments and step counts by AdamW's number of a parameter, which
        counts vectors last, and masters by ours. Those of weights in shards are in such shards."""
        state: dict[int, dict[str, Tensor]] = self.adamw.state_dict()["state"]
        order = self._in_order_of_adamw()
        tensors = {
            f"{number}.{field}": shard_like(tensor, order[number]) if tensor.dim() else tensor
            for number, fields in state.items()
            for field, tensor in fields.items()
        }
        for number, (parameter, master) in enumerate(self._pairs()):
            if parameter.dtype != master.dtype:
                tensors[f"{number}.master"] = shard_like(master.detach(), parameter)
        return tensors

    @torch.no_grad()
    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        """The inverse of `tensors`, which may be whole where the weights are in shards."""
        state: dict[int, dict[str, Tensor]] = {}
        order = self._in_order_of_adamw()
        for name, tensor in tensors.items():
            number, _, field = name.partition(".")
            if field == "master":
                parameter = self.parameters[int(number)]
                self.masters[int(number)].copy_(part_like(tensor, parameter))
            else:
                part = part_like(tensor, order[int(number)]) if tensor.dim() else tensor
                state.setdefault(int(number), {})[field] = part
        full = self.adamw.state_dict()
        full["state"] = state
        self.adamw.load_state_dict(full)

    def _in_order_of_adamw(self) -> list[nn.Parameter]:
        """The parameters as AdamW counts them."""
        return sorted(self.parameters, key=lambda parameter: parameter.dim() <= 1)

    def _pairs(self) -> Iterator[tuple[nn.Parameter, nn.Parameter]]:
        yield from zip(self.parameters, self.masters, strict=True)

    def _copies(self) -> Iterator[tuple[nn.Parameter, nn.Parameter]]:
        yield from ((p, master) for p, master in self._pairs() if p is not master)


def _master(parameter: nn.Parameter) -> nn.Parameter:
    if isinstance(parameter, DTensor):  # in float32 the shard itself
        return nn.Parameter(own_part(parameter.detach()).float())
    if parameter.dtype == torch.float32:
        return parameter
    return nn.Parameter(parameter.detach().float())


def _square_norm(parameters: Sequence[nn.Parameter]) -> float:
    """Of all their gradients together."""
    gradients = [p.grad for p in parameters if p.grad is not None]
    return float(nn.utils.get_total_norm(gradients)) ** 2


def _summing_into(master: nn.Parameter) -> Callable[[nn.Parameter], None]:
    def hook(parameter: nn.Parameter) -> None:
        assert parameter.grad is not None
        gradient = own_part(parameter.grad)
        if master.grad is None:
            master.grad = gradient.float()
        else:
            add_into(master.grad, gradient)
        parameter.grad = None

    return hook
