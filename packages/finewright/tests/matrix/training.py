"""A cell's training as train/candidate.py begins, continues and ends it, and what must be true of it."""

import math
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path

import torch
from cells import STEPS
from torch import Tensor

import tiny
from finewright.conformance.method import MethodRun
from finewright.lm.adapters.kinds import set_adapter_tensors, tensors_to_store
from finewright.lm.adapters.linears import OnLinear
from finewright.lm.batch import pack
from finewright.lm.example import EncodedRow, Example
from finewright.lm.fast.quantized import QuantizedWeight
from finewright.lm.generate import trace
from finewright.lm.load import load_lm
from finewright.lm.model import LM
from finewright.lm.score_head import load_head, scores
from finewright.lm.sources import LocalBase
from finewright.schema.train import TrainSettings
from finewright.train import checkpoint
from finewright.train.checkpoint import Checkpoint, CheckpointProgress
from finewright.train.load import load_for_training
from finewright.train.loop import TrainStep
from finewright.train.methods.setup import Setup, method_of
from finewright.train.rewards import PolicyAnswer, Reward, Rewards
from finewright.train.save import save_result
from finewright.train.state import put_back, state_of

KEY = "a" * 64
_PREFERENCE, _JUDGED, _DEMONSTRATION, _PROMPT = "preference", "judged", "demonstration", "prompt"
_ROWS = {
    "sft": _DEMONSTRATION,
    "kto": _JUDGED,
    "grpo": _PROMPT,
    "ppo": _PROMPT,
}
# prompt, chosen and rejected answer, in tokens; some outgrow the windows of tiny.py
_SHAPES = ((5, 4, 3), (3, 6, 2), (4, 2, 5), (6, 3, 3))
PROMPTS = ((5, 9, 40, 77), (8, 31, 250, 64, 12, 99, 133))


def rows_of(method: str) -> list[Example]:
    """Rows of the kind that the method learns from."""
    generator = torch.Generator().manual_seed(0)
    kind = _ROWS.get(method, _PREFERENCE)
    rows = []
    for number, lengths in enumerate(_SHAPES):
        prompt, *answers = (_drawn(n, generator) for n in lengths)
        chosen, rejected = (_answered(prompt, answer) for answer in answers)
        if kind == _PROMPT:
            rows.append(Example((_answered(prompt, ()),)))
        elif kind == _PREFERENCE:
            rows.append(Example((chosen, rejected)))
        else:
            rows.append(Example((chosen,), label=number % 2 == 0 if kind == _JUDGED else None))
    return rows


def _drawn(length: int, generator: torch.Generator) -> tuple[int, ...]:
    return tuple(torch.randint(3, tiny.VOCAB, (length,), generator=generator).tolist())


def _answered(prompt: tuple[int, ...], answer: tuple[int, ...]) -> EncodedRow:
    return EncodedRow(prompt + answer, (False,) * len(prompt) + (True,) * len(answer))


def _worth(answers: Sequence[PolicyAnswer]) -> list[float]:
    """Different for most answers, and always the same for one."""
    return [zlib.crc32(answer.text.encode()) % 997 / 997 for answer in answers]


class Training(MethodRun):
    """The live objects of a training, as before its first step."""

    def __init__(self, spec: TrainSettings, base: LocalBase) -> None:
        self.base = base
        # so many stop tokens that some answers end soon
        self.chat = replace(tiny.tiny_chat(), end_of_turn=frozenset(range(3, 40)))
        lm = load_for_training(base, spec)
        setup = Setup(lm, self.chat, Rewards((Reward("worth", 1.0, _worth),)))
        method = method_of(spec, setup)
        super().__init__(spec, rows_of(spec.method), (lm, method))

    def between(self, start: int, end: int) -> list[TrainStep]:
        """Train from step `start` to `end`; seconds are left out."""
        return [replace(step, seconds=0.0) for step in islice(self.steps(start), end - start)]

    def weights(self) -> dict[str, Tensor]:
        """Copies of what is trained, heads too, by name."""
        weights = state_of(self.lm, self.method, self.optimizer).weights
        return {name: tensor.clone() for name, tensor in weights.items()}

    def base_weights(self) -> dict[str, Tensor]:
        """Copies of all that must not move, by name; packed weights as they are used."""
        named = (*self.lm.model.named_parameters(), *self.lm.model.named_buffers())
        frozen = {name: tensor.clone() for name, tensor in named if not tensor.requires_grad}
        for place, part in self.lm.adapters.items():
            if isinstance(part, OnLinear):
                frozen[place] = part.read_weight().clone()
        return frozen

    def outputs(self, lm: LM, head: torch.nn.Module | None) -> Tensor:
        """A reward model's numbers, or the logits, without training."""
        return outputs(lm, head if self.spec.method == "reward" else None)


@torch.no_grad()
def outputs(lm: LM, head: torch.nn.Module | None = None) -> Tensor:
    """The head's numbers for PROMPTS, or all logits without a head."""
    lm.model.eval()
    batch = pack([EncodedRow(ids, (False,) * len(ids)) for ids in PROMPTS], lm.device)
    return lm.logits(lm.compute_states(batch)) if head is None else scores(lm, head, batch)


def assert_trains(spec: TrainSettings, base: LocalBase, folder: Path) -> Training:
    """The loss is finite, what is trained moves, all else does not, and a run that is taken up again goes on
    bitwise as it would have; the training at its end."""
    training = Training(spec, base)
    before, frozen = training.weights(), training.base_weights()
    _assert_quantized(training)
    first = training.between(0, STEPS - 1)
    path = checkpoint.save(
        folder, key=KEY, progress=CheckpointProgress(STEPS - 1), state=_state(training)
    )
    last = training.between(STEPS - 1, STEPS)
    assert all(math.isfinite(step.loss) for step in (*first, *last))
    assert all(step.grad_norm > 0 for step in (*first, *last))
    assert _unmoved(before, training.weights()) == _never_moved(training)
    assert_same(training.base_weights(), frozen)
    again = Training(spec, base)
    found = checkpoint.read(path, key=KEY)
    assert isinstance(found, Checkpoint)
    put_back(found.state, again.lm, again.method, again.optimizer)
    assert again.between(STEPS - 1, STEPS) == last
    assert_same(again.state(), training.state())
    return training


def assert_kept(training: Training, folder: Path) -> LM:
    """What is written gives the trained model's numbers; a quantised training's adapter those that it gives
    on the whole base. The model as it was read."""
    lm, method, spec = training.lm, training.method, training.spec
    save_result(folder, lm, method, training.base, training.chat, spec, stored={})
    loaded = load_lm(training.base, folder, dtype="fp32")
    if spec.adapter.quantization != "none":
        whole = spec.adapter.model_copy(update={"quantization": "none"})
        lm = load_for_training(training.base, spec.model_copy(update={"adapter": whole}))
        set_adapter_tensors(lm.adapters, training.lm.tensors_to_keep(), origin="training")
    assert torch.equal(outputs(loaded), outputs(lm))
    if spec.method == "reward":
        (own,), head = method.parameters(), load_head(folder, loaded.device)
        assert head is not None
        assert torch.equal(head.weight, own)
    elif loaded.adapters:
        assert_same(tensors_to_store(loaded.adapters), tensors_to_store(training.lm.adapters))
    return loaded


@torch.no_grad()
def assert_generates(lm: LM) -> None:
    """Greedy tokens are what the forward finds likeliest."""
    lm.model.eval()
    for prompt, found in zip(PROMPTS, trace(lm, PROMPTS, 3), strict=True):
        row = (*prompt, *found.ids)
        states = lm.compute_states(pack([EncodedRow(row, (False,) * len(row))], lm.device))
        likeliest = lm.logits(states)[len(prompt) - 1 : -1].argmax(-1)
        assert tuple(likeliest.tolist()) == found.ids


def assert_same(found: Mapping[str, Tensor], true: Mapping[str, Tensor]) -> None:
    """Bitwise, by name."""
    assert found.keys() == true.keys()
    assert [name for name in true if not torch.equal(found[name], true[name])] == []


def _state(training: Training) -> checkpoint.State:
    return state_of(training.lm, training.method, training.optimizer)


def _unmoved(before: Mapping[str, Tensor], after: Mapping[str, Tensor]) -> set[str]:
    return {name for name in before if torch.equal(before[name], after[name])}


def _never_moved(training: Training) -> set[str]:
    """PiSSA's first values, and the head that a reward model does not use."""
    names = state_of(training.lm, training.method, training.optimizer).weights
    unused = "lm_head.weight" if training.spec.method == "reward" else ""
    return {name for name in names if ".start_" in name or name == unused}


def _assert_quantized(training: Training) -> None:
    packed = [
        isinstance(part.frozen, QuantizedWeight)
        for part in training.lm.adapters.values()
        if isinstance(part, OnLinear)
    ]
    assert all(is_packed == (training.spec.adapter.quantization != "none") for is_packed in packed)
