"""What a training method sees of a model: token log-probabilities, hidden states, text, and the base."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from inspect import signature

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from finewright.errors import ModelError
from finewright.lm.batch import Encoded, Packed, pack, pack_groups
from finewright.lm.fast import attention, head, native, recompute
from finewright.lm.lora import LoraLinear, kept_whole
from finewright.lm.probe import probe_rows, run, speed_up

_ANOTHER = "choose a base model of another family"
_HEAD_EXTRAS = ("final_logit_softcapping", "logit_scale", "logits_scaling")


class LM:
    """A causal language model with an optional adapter.

    Batches are padding-free when the model's own attention allows it exactly; a model that does not
    (`packs_exactly` is False) runs its sequences one by one instead, never a wrong result. Raises
    ModelError when the logits are not what the head makes of the last hidden states."""

    def __init__(self, model: PreTrainedModel, adapters: Mapping[str, LoraLinear]) -> None:
        self.model = model
        self.adapters = dict(adapters)
        _check_cache(model)
        self._check_head()
        self.packs_exactly, self.fallbacks = speed_up(model, LoraLinear)

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        device: torch.device = next(self.model.parameters()).device
        return device

    def parameters(self) -> list[nn.Parameter]:
        """The trained parameters, in a fixed order."""
        return [p for p in self.model.parameters() if p.requires_grad]

    @contextmanager
    def reference(self) -> Iterator[None]:
        """The base model: every adapter switched off, no gradients, no second copy in memory."""
        for adapter in self.adapters.values():
            adapter.enabled = False
        try:
            with torch.no_grad():
                yield
        finally:
            for adapter in self.adapters.values():
                adapter.enabled = True

    def hidden(self, batch: Packed) -> Tensor:
        """Last hidden states of all tokens, (T, d)."""
        if self.packs_exactly:
            with attention.using(self.model, attention.NAME):
                return run(self.model, batch.input_ids, batch.position_ids, batch.segments)
        assert not any(segment.prefix_length for segment in batch.segments)  # see `pack`
        lengths = [segment.length for segment in batch.segments]
        parts = zip(
            torch.split(batch.input_ids, lengths, 1),
            torch.split(batch.position_ids, lengths, 1),
            strict=True,
        )
        return torch.cat([run(self.model, ids, positions) for ids, positions in parts])

    def pack(self, groups: Sequence[Sequence[Encoded]]) -> Packed:
        """The groups' rows as one batch, common prompts once where the model packs exactly."""
        if self.packs_exactly:
            return pack_groups(groups, self.device)
        return pack([row for rows in groups for row in rows], self.device)

    def slow_paths(self) -> tuple[str, ...]:
        """What runs as transformers and torch have it where the engine has something faster, and why."""
        told = [
            f"{left.module}: {left.trick} as transformers has it, because {left.reason}"
            for left in self.fallbacks
        ]
        if whole := kept_whole(self.model, self.adapters):
            told.append(
                f"{', '.join(whole)}: kept whole, because only linear layers with an adapter are quantised"
            )
        if self.device.type == "cpu" and (reason := native.status().reason):
            told.insert(0, f"plain torch in place of the CPU kernels, because {reason}")
        if not self.packs_exactly:
            told.insert(0, "rows one by one, because attention does not take them end to end")
        return tuple(told)

    def recompute(self) -> None:
        """Keep only each decoder layer's input in the forward, and run the layer again in the backward.

        Raises ModelError when the model has no layers that can be run again."""
        name = attention.NAME if self.packs_exactly else self.model.config._attn_implementation
        drops = [adapter.dropout for adapter in self.adapters.values()]
        draws = any(drops) or bool(getattr(self.model.config, "attention_dropout", 0.0))
        if not recompute.install(
            self.model, lambda: attention.using(self.model, name), draws=draws
        ):
            raise ModelError(
                f"{type(self.model).__name__}: no layer of this family can be computed again",
                hint="set train.memory to fast",
            )

    def token_logps(self, batch: Packed) -> Tensor:
        """log p of each scored token given the tokens before it, float32, (N,)."""
        states = self.hidden(batch)[batch.sources]
        weight = _plain_head(self.model)
        if weight is not None:
            return head.frozen_head_logps(states, weight, batch.targets)
        logits = self.logits(states).float()
        return logits.log_softmax(-1).gather(-1, batch.targets[:, None]).squeeze(-1)

    def logits(self, states: Tensor) -> Tensor:
        """What the head makes of last hidden states: (..., d) -> (..., V)."""
        logits: Tensor = self.model.get_output_embeddings()(states)
        config = self.model.config.get_text_config()
        if cap := getattr(config, "final_logit_softcapping", None):
            logits = torch.tanh(logits / cap) * cap
        if scale := getattr(config, "logit_scale", None):
            logits = logits * scale
        if divisor := getattr(config, "logits_scaling", None):
            logits = logits / divisor
        return logits

    def _check_head(self) -> None:
        """A family that scales its logits in its own way would train on a wrong loss: refuse it."""
        row = probe_rows(self.model)[0]
        training = self.model.training
        self.model.eval()
        with torch.no_grad():
            ids = torch.tensor([row.input_ids], device=self.device)
            positions = torch.arange(len(row.input_ids), device=self.device)[None]
            logits = self.model(input_ids=ids, use_cache=False).logits[0]
            known = self.model.base_model is not self.model and _close(
                self.logits(run(self.model, ids, positions)), logits
            )
        self.model.train(training)
        if not known:
            raise ModelError(
                f"{type(self.model).__name__}: this family makes its logits in a way that is not known"
                " here, and its losses would be wrong",
                hint=_ANOTHER,
            )


def _check_cache(model: PreTrainedModel) -> None:
    """Forwards swallow unknown arguments, so a family without this cache would generate nonsense."""
    if "past_key_values" not in signature(model.forward).parameters:
        raise ModelError(
            f"{type(model).__name__}: this family keeps no key-value cache, so its answers cannot be"
            " generated",
            hint=_ANOTHER,
        )


def _plain_head(model: PreTrainedModel) -> Tensor | None:
    """The head's weight when it is a frozen linear without bias and nothing follows it."""
    module = model.get_output_embeddings()
    config = model.config.get_text_config()
    plain = type(module) is nn.Linear and module.bias is None and not module.weight.requires_grad
    if not plain or any(getattr(config, name, None) for name in _HEAD_EXTRAS):
        return None
    weight: Tensor = module.weight
    return weight


def _close(found: Tensor, true: Tensor) -> bool:
    """Equal up to the rounding of the number format."""
    tolerance = true.float().abs().max() * (3e-2 if true.dtype == torch.bfloat16 else 1e-4)
    return bool((found - true).float().abs().max() <= tolerance)
