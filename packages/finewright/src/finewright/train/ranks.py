"""The processes of one training, called ranks: which rows each takes, and what they tell each other.

Data parallel: every rank has the whole model, takes its share of each step's rows, and the gradients of what
is trained are summed over all. What a method computes over a whole step (a mean, a deviation) it asks for
here. Alone there is one rank, which takes all rows, says nothing, and computes as if this were not here.

Values go as JSON and numbers as tensors, so that no rank runs what another sends."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn

from finewright.lm.batch import SizedRow
from finewright.lm.model import LM

T = TypeVar("T")
_NUMBERS_AT_ONCE = 2**24
"""Of a gradient, summed in one message: 64 MB in float32, so that no second copy of a large one is made."""
_SHORT, _LENGTH = 2040, 8
"""Bytes of JSON that go in one message, more than a step's figures take, and those of its length."""


@dataclass(frozen=True, slots=True)
class Ranks:
    """This rank's `number` among `size`, and the group of torch that they are."""

    number: int = 0
    size: int = 1
    group: "dist.ProcessGroup | None" = None

    @property
    def is_first(self) -> bool:
        """Whether it is the one that writes."""
        return self.number == 0

    def places(self, rows: Sequence[SizedRow]) -> list[int]:
        """Where this rank's rows stand among the rows of all, in their order.

        The longest row goes first, to the rank that has the fewest tokens by then (Graham 1969), so that all
        have about as many and end together. With fewer rows than ranks some have none."""
        if self.size == 1:
            return list(range(len(rows)))
        tokens, own = [0] * self.size, []
        for place in sorted(range(len(rows)), key=lambda place: -rows[place].num_tokens):
            least = tokens.index(min(tokens))
            tokens[least] += rows[place].num_tokens
            if least == self.number:
                own.append(place)
        return sorted(own)

    def share(self, rows: Sequence[SizedRow]) -> list[SizedRow]:
        """This rank's rows of those of all."""
        return [rows[place] for place in self.places(rows)]

    def gather(self, value: Any) -> list[Any]:  # Any: JSON
        """The value of each rank, on all of them. All must call it, as all else here."""
        if self.size == 1:
            return [value]
        text = json.dumps(value).encode()
        # Short ones go in one message, with their length before them; longer ones in a second.
        short = text[:_SHORT]
        first = len(text).to_bytes(_LENGTH, "little") + short + bytes(_SHORT - len(short))
        found = [part.numpy().tobytes() for part in self._all_gather(_bytes(first))]
        sizes = [int.from_bytes(each[:_LENGTH], "little") for each in found]
        if max(sizes) > _SHORT:
            texts = [part.numpy().tobytes() for part in self._gather_parts(_bytes(text))]
        else:
            texts = [each[_LENGTH : _LENGTH + n] for each, n in zip(found, sizes, strict=True)]
        return [json.loads(each) for each in texts]

    def agree(self, value: Any) -> Any:  # Any: JSON
        """The first rank's value."""
        return self.gather(value)[0]

    def sums(self, values: Sequence[float]) -> list[float]:
        """Of all ranks' values, each by itself."""
        return (
            list(values) if self.size == 1 else [*map(sum, zip(*self.gather(values), strict=True))]
        )

    def sum(self, value: float) -> float:
        """Of all ranks' values."""
        return self.sums([value])[0]

    def mean(self, values: Mapping[str, float], weight: float) -> dict[str, float]:
        """The weighted mean of each name over the ranks that have it; their weights are those of all."""
        if self.size == 1:
            return dict(values)
        sums: dict[str, float] = {}
        weights: dict[str, float] = {}
        for own, of_rank in self.gather([dict(values), weight]):
            for name, value in own.items() if of_rank else ():
                sums[name] = sums.get(name, 0.0) + of_rank * value
                weights[name] = weights.get(name, 0.0) + of_rank
        return {name: total / weights[name] for name, total in sums.items()}

    def each_pass(self, lm: LM, own: Sequence[T]) -> Iterator[T]:
        """What this rank passes through the model, one by one; over a sharded model it then takes part in
        the passes that others have more (`LM.pass_idle`)."""
        idle = max(self.gather(len(own))) - len(own) if lm.is_sharded else 0
        yield from own
        for _ in range(idle):
            lm.pass_idle()

    def join(self, values: Tensor) -> Tensor:
        """The values (n,) of each rank end to end, on all of them."""
        if self.size == 1:
            return values
        return torch.cat(self._gather_parts(values.cpu())).to(values.device)

    @torch.no_grad()
    def sum_gradients(self, parameters: Sequence[nn.Parameter]) -> None:
        """Let every rank have the sum of all ranks' gradients; one that no rank has stays None."""
        if self.size == 1:
            return
        held = torch.tensor([parameter.grad is not None for parameter in parameters]).int()
        dist.all_reduce(held, dist.ReduceOp.MAX, group=self.group)
        gradients = [_gradient(p) for p, is_held in zip(parameters, held, strict=True) if is_held]
        for some in _messages(gradients):
            flat = torch.cat([gradient.reshape(-1) for gradient in some])
            dist.all_reduce(flat, group=self.group)
            parts = torch.split(flat, [gradient.numel() for gradient in some])
            for gradient, part in zip(some, parts, strict=True):
                gradient.copy_(part.view_as(gradient))

    def _all_gather(self, values: Tensor) -> list[Tensor]:
        """The values of each rank, as many on each."""
        parts = [torch.empty_like(values) for _ in range(self.size)]
        dist.all_gather(parts, values, group=self.group)
        return parts

    def _gather_parts(self, values: Tensor) -> list[Tensor]:
        """Each rank's values (n,), of lengths that may differ, on the CPU."""
        sizes = [int(size) for size in self._all_gather(torch.tensor([len(values)]))]
        padded = torch.cat((values, values.new_zeros(max(1, *sizes) - len(values))))
        return [part[:n] for part, n in zip(self._all_gather(padded), sizes, strict=True)]


ALONE = Ranks()


def _bytes(text: bytes) -> Tensor:
    return torch.frombuffer(bytearray(text), dtype=torch.uint8)


def _gradient(parameter: nn.Parameter) -> Tensor:
    if parameter.grad is None:
        parameter.grad = torch.zeros_like(parameter)
    return parameter.grad


def _messages(gradients: Sequence[Tensor]) -> Iterator[list[Tensor]]:
    """The gradients in groups of at most so many numbers, or one larger one."""
    some: list[Tensor] = []
    for gradient in gradients:
        if some and sum(map(Tensor.numel, some)) + gradient.numel() > _NUMBERS_AT_ONCE:
            yield some
            some = []
        some.append(gradient)
    if some:
        yield some


def find_disagreement(facts: Sequence[Mapping[str, str]]) -> str:
    """The first fact that differs between ranks, in words; empty where all say the same."""
    for name, first in facts[0].items():
        for number, others in enumerate(facts):
            if others.get(name) != first:
                return f"rank 0 has {name} {first}, and rank {number} has {others.get(name)}"
    return ""
