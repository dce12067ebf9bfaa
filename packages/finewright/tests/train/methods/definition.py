"""A method's model by the definition: transformers and PEFT's layers in float64, one row at a time."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from updates import Update

import referee
import tiny
from finewright.lm.example import EncodedRow
from finewright.lm.model import LM


class Definition:
    """The twin of an adapted model."""

    def __init__(self, lm: LM, *, family: str = "llama") -> None:
        self.model = tiny.tiny_model(family)
        self.layers = referee.peft_layers(self.model, lm.adapters)
        self.model.double()

    def follow(self, lm: LM) -> None:
        """Take over the adapter as it is by now."""
        for path, adapter in lm.adapters.items():
            self.layers[path].lora_A["default"].weight.data.copy_(adapter.lora_A.data)
            self.layers[path].lora_B["default"].weight.data.copy_(adapter.lora_B.data)

    def logps(self, row: EncodedRow, *, temperature: float = 1.0) -> Tensor:
        """log p of each learned token."""
        logits = self.model(input_ids=torch.tensor([row.input_ids]), use_cache=False).logits[0]
        scores = (logits / temperature).log_softmax(-1)
        learned = [t for t in range(1, len(row.input_ids)) if row.trained[t]]
        return torch.stack([scores[t - 1, row.input_ids[t]] for t in learned])

    def states(self, row: EncodedRow) -> Tensor:
        """Last hidden states of all tokens."""
        ids = torch.tensor([row.input_ids])
        states: Tensor = self.model.model(input_ids=ids, use_cache=False).last_hidden_state[0]
        return states

    @contextmanager
    def base(self) -> Iterator[None]:
        """Without the adapter, and without gradients."""
        for layer in self.layers.values():
            layer.enable_adapters(False)
        with torch.no_grad():
            yield
        for layer in self.layers.values():
            layer.enable_adapters(True)

    def update(self, loss: Tensor, heads: Sequence[nn.Parameter] = ()) -> Update:
        """The update of a loss."""
        for parameter in [*self.model.parameters(), *heads]:
            parameter.grad = None
        loss.backward()
        gradients: Mapping[str, Tensor] = referee.peft_gradients(self.layers)
        of_heads = {f"head {n}": p.grad for n, p in enumerate(heads) if p.grad is not None}
        return Update(float(loss.detach()), {**gradients, **of_heads})
