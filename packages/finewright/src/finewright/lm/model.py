"""What a training method sees of a model: token log-probabilities, hidden states, text, and the base.

A model's own dropout, switched off: the spec is the only source of it.

A config may bring dropout of its own (Seed-OSS and GPT-2 have 0.1 of it), which would act in training
whatever the spec says. Noise on a router's inputs (PhiMoE) is of the same kind."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from inspect import signature
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.dropout import _DropoutNd
from transformers import DynamicCache, PreTrainedModel

from finewright.errors import ModelError
from finewright.lm.adapters.kinds import (
    adapter_tensors,
    set_adapter_tensors,
    tensors_to_store,
)
from finewright.lm.adapters.linears import find_kept_whole
from finewright.lm.adapters.lora import LoraLinear
from finewright.lm.adapters.part import AdapterPart, Parts
from finewright.lm.adapters.prefix import Prefix
from finewright.lm.adapters.virtual import VirtualRow, VirtualTokens, lay_out
from finewright.lm.adapters.whole import WholeModel
from finewright.lm.batch import PackedBatch, Segment, fill_up, pack, pack_groups
from finewright.lm.engine.native import find_decoder
from finewright.lm.engine.recognise import Decoder
from finewright.lm.example import EncodedRow
from finewright.lm.fast import attention, factors, head, library, recompute
from finewright.lm.logits import Logits
from finewright.lm.probe import block_bytes, probe_rows, run, speed_up
from finewright.lm.sharded import is_sharded, let_go_of_others

_NAMES = ("drop", "jitter")


_ANOTHER = "choose a base model of another family"


class LM:
    """A causal language model with an optional adapter.

    Batches are padding-free when the model's own attention allows it exactly; a model that does not
    (`packs_exactly` is False) runs its sequences one by one instead, never a wrong result. Raises
    ModelError when the logits are not what the head makes of the last hidden states, and when the adapter
    is a prefix and the model does not pack."""

    def __init__(self, model: PreTrainedModel, adapters: Parts) -> None:
        self.model = model
        self.adapters: dict[str, AdapterPart] = dict(adapters)
        for part in self.adapters.values():
            part.begin()
        self._start: dict[str, Tensor] | None = None
        switch_off_dropout(model)
        self._logits = Logits(model)
        _check_cache(model)
        self._check_head()
        self.packs_exactly, self.fallbacks = speed_up(model, LoraLinear)
        if self.is_sharded and not self.packs_exactly:
            raise ModelError(
                f"{type(model).__name__}: its weights cannot be sharded, because it takes rows one by one,"
                " and all processes must run as many passes as each other",
                hint="set launch.fsdp to false",
            )
        if not self.packs_exactly and isinstance(self._virtual, Prefix):
            raise ModelError(
                f"{type(model).__name__}: prefix tuning is not possible, because not all of its layers"
                " are attention that takes rows end to end",
                hint="take LoRA or prompt tuning",
            )

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        device: torch.device = next(self.model.parameters()).device
        return device

    @property
    def is_sharded(self) -> bool:
        """Whether ranks share its weights, so that all must run as many passes as each other."""
        return is_sharded(self.model)

    @cached_property
    def block_bytes(self) -> int:
        """Bytes of a block of the paged cache; 0 where the model gives other numbers with one."""
        return block_bytes(self.model) if self.packs_exactly else 0

    @cached_property
    def decoder(self) -> Decoder | str:
        """What a native step of generation computes of the model, or why there is none."""
        return find_decoder(self.model)

    @property
    def num_virtual(self) -> int:
        """Virtual tokens that the adapter puts before each row."""
        virtual = self._virtual_now
        return 0 if virtual is None else virtual.count

    def parameters(self) -> list[nn.Parameter]:
        """The trained parameters, in a fixed order; of weights in shards the shards."""
        let_go_of_others(self.model)
        beside = (self._virtual,) if self._virtual is not None else ()
        modules: tuple[nn.Module, ...] = (self.model, *beside)
        return [p for module in modules for p in module.parameters() if p.requires_grad]

    def tensors_to_keep(self) -> dict[str, Tensor]:
        """All that a checkpoint must keep of the adapter, by name; of a whole model all its weights."""
        return adapter_tensors(self.adapters)

    def tensors_to_store(self) -> dict[str, Tensor]:
        """What a stored adapter holds, under PEFT's names; of a whole model all its weights."""
        return tensors_to_store(self.adapters)

    @property
    def has_reference(self) -> bool:
        """Whether `reference` gives the base at any time. Not where every weight learns."""
        return not any(isinstance(part, WholeModel) for part in self.adapters.values())

    def start_from(self, tensors: Mapping[str, Tensor]) -> None:
        """Let `reference` be the model with its adapter as these tensors: what one started from,
        where that is another run. They have the names of `tensors_to_keep`."""
        self._start = {name: tensor.detach().clone() for name, tensor in tensors.items()}

    @contextmanager
    def reference(self) -> Iterator[None]:
        """What one started from: the base model, every adapter switched off, or the parent that
        `start_from` named; no gradients, no second copy of the model in memory.

        Not while gradients of an earlier forward are still to be taken. Raises ModelError when the base
        itself was trained."""
        if self._start is not None:
            now = {name: tensor.clone() for name, tensor in self.tensors_to_keep().items()}
            set_adapter_tensors(self.adapters, self._start, origin="the parent")
            try:
                with torch.no_grad():
                    yield
            finally:
                set_adapter_tensors(self.adapters, now, origin="the adapter")
            return
        for part in self.adapters.values():
            if reason := part.why_no_base():
                raise ModelError(
                    f"the base model is not there any more: {reason}",
                    hint="ask it before the first step, or train an adapter",
                )
        for part in self.adapters.values():
            part.enabled = False
        try:
            with torch.no_grad():
                yield
        finally:
            for part in self.adapters.values():
                part.enabled = True

    def compute_states(self, batch: PackedBatch) -> Tensor:
        """Last hidden states of all tokens, (T, d)."""
        if self.packs_exactly:
            with attention.using(self.model, attention.NAME):
                return self._row_states(batch.input_ids, batch.position_ids, batch.segments)
        assert not any(segment.prefix_length for segment in batch.segments)  # see `pack`
        lengths = [segment.length for segment in batch.segments]
        parts = zip(
            torch.split(batch.input_ids, lengths, 1),
            torch.split(batch.position_ids, lengths, 1),
            batch.segments,
            strict=True,
        )
        states = []
        for ids, positions, segment in parts:
            with factors.seeing(segment.start, segment.length):
                states.append(self._row_states(ids, positions, None))
        return torch.cat(states)

    def pass_idle(self) -> None:
        """Take part in another rank's pass, and in its backward while gradients are taken: one token, of no
        weight."""
        states = self.compute_states(self.pack([[EncodedRow((0,), (False,))]]))
        if states.requires_grad:
            (states.sum() * 0).backward()  # type: ignore[no-untyped-call]

    def pack(self, groups: Sequence[Sequence[EncodedRow]]) -> PackedBatch:
        """The groups' rows as one batch, common prompts once where the model packs exactly."""
        if self.packs_exactly:
            return pack_groups(groups, self.device)
        return pack([row for rows in groups for row in rows], self.device)

    def with_virtual_tokens(self, batch: PackedBatch) -> VirtualRow:
        """The batch as the forward takes it: with the adapter's virtual tokens, when it has any."""
        return lay_out(batch.input_ids, batch.position_ids, batch.segments, self.num_virtual)

    def inputs(self, row: VirtualRow, cache: DynamicCache | None = None) -> dict[str, Any]:
        """What the model's forward is given for the tokens of a row; `cache` takes up keys and values."""
        virtual = self._virtual_now
        if virtual is not None:
            return virtual.inputs(self.model, row, cache)
        found: dict[str, Any] = {"input_ids": row.input_ids}
        return found if cache is None else {**found, "past_key_values": cache}

    def slow_paths(self) -> tuple[str, ...]:
        """What runs as transformers and torch have it where the engine has something faster, and why."""
        notes = [
            f"{left.module}: {left.trick} as transformers has it, because {left.reason}"
            for left in self.fallbacks
        ]
        if whole := find_kept_whole(self.model, self.adapters):
            notes.append(
                f"{', '.join(whole)}: kept whole, because only linear layers with an adapter are quantised"
            )
        if self.device.type == "cpu" and (reason := library.status().reason):
            notes.insert(0, f"plain torch in place of the CPU kernels, because {reason}")
        if not self.packs_exactly:
            notes.insert(0, "rows one by one, because attention does not take them end to end")
        elif not self.is_sharded and not (self.device.type == "cpu" and library.status().reason):
            notes += [self.slow_answers] if self.slow_answers else []
        return tuple(notes)

    @property
    def slow_answers(self) -> str:
        """Which slower way than the quickest answers are made in, and why; empty where there is none."""
        if not self.block_bytes:
            return "answers in padded rows, because attention does not read a cache in blocks"
        if self.device.type == "cpu" and isinstance(self.decoder, str):
            return f"answers by torch in place of the CPU kernels, because {self.decoder}"
        return ""

    def recompute(self) -> None:
        """Keep only each decoder layer's input in the forward, and run the layer again in the backward.

        Raises ModelError when the model has no layers that can be run again."""
        name = attention.NAME if self.packs_exactly else self.model.config._attn_implementation
        draws = any(part.dropout for part in self.adapters.values())
        if not recompute.install(
            self.model, lambda: attention.using(self.model, name), draws=draws
        ):
            raise ModelError(
                f"{type(self.model).__name__}: no layer of this family can be computed again",
                hint="set train.memory to fast",
            )

    def token_logps(self, batch: PackedBatch, temperature: float = 1.0) -> Tensor:
        """log p of each scored token given the tokens before it, float32, (N,)."""
        return self.logps(self.compute_states(batch)[batch.sources], batch.targets, temperature)

    def logps(self, states: Tensor, targets: Tensor, temperature: float = 1.0) -> Tensor:
        """log p of targets (N,) under softmax(logits / temperature) of states (N, d): float32, (N,).

        Not all logits are ever held at once."""
        own = self._logits.head(temperature)
        if own is None:
            scores = (self.logits(states).float() / temperature).log_softmax(-1)
            return scores.gather(-1, targets[:, None]).squeeze(-1)
        if temperature != 1.0 and own.change is None:
            states = states / temperature
        return head.logps(states, own, targets)

    def logits(self, states: Tensor) -> Tensor:
        """What the head makes of last hidden states: (..., d) -> (..., V)."""
        return self._logits(states)

    @property
    def _virtual(self) -> VirtualTokens | None:
        parts = self.adapters.values()
        return next((part for part in parts if isinstance(part, VirtualTokens)), None)

    @property
    def _virtual_now(self) -> VirtualTokens | None:
        virtual = self._virtual
        return virtual if virtual is not None and virtual.enabled else None

    def _row_states(
        self, input_ids: Tensor, position_ids: Tensor, segments: tuple[Segment, ...] | None
    ) -> Tensor:
        """Last hidden states (T, d) of a packed row (1, T), or of one that stands alone (no segments)."""
        virtual = self._virtual_now
        if virtual is None:
            if segments is None:
                return run(self.model, input_ids, position_ids)
            return run(self.model, *fill_up(input_ids, position_ids, segments))[
                : input_ids.shape[1]
            ]
        alone = (Segment(0, input_ids.shape[1]),)
        row = lay_out(input_ids, position_ids, segments or alone, virtual.count)
        given = {
            "use_cache": False,
            **virtual.inputs(self.model, row),
            **({} if segments is None else {"segments": row.segments}),
        }
        output = self.model.base_model(position_ids=row.position_ids, **given)
        states: Tensor = output.last_hidden_state[0]
        return states[row.real]

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


def _close(found: Tensor, true: Tensor) -> bool:
    """Equal up to the rounding of the number format."""
    tolerance = true.float().abs().max() * (3e-2 if true.dtype == torch.bfloat16 else 1e-4)
    return bool((found - true).float().abs().max() <= tolerance)


def switch_off_dropout(model: PreTrainedModel) -> None:
    """In place, for good: layers of dropout, and the shares that modules and the config hold by name. An
    adapter's stays."""
    for module in model.modules():
        if isinstance(module, AdapterPart):
            continue
        if isinstance(module, _DropoutNd):
            module.p = 0.0
        _switch_off(module)
    _switch_off(model.config.get_text_config())


def _switch_off(holder: nn.Module | object) -> None:
    for name, value in vars(holder).items():
        if isinstance(value, float) and any(part in name for part in _NAMES):
            setattr(holder, name, 0.0)
