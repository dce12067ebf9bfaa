"""Every method trained by several real processes, from the same rows and seed: what each of them reports.

The processes are forked from one that has imported torch and trained nothing, which costs one import for
all of them."""

import json
import multiprocessing
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from test_every_method import SHARED, SPECS, rows_for
from torch.distributed.tensor import DTensor
from updates import setup_of

import tiny
from finewright.conformance.method import KEY, MethodRun
from finewright.lm.adapters.kinds import add_adapter
from finewright.lm.model import LM
from finewright.lm.sharded import shard
from finewright.lm.tensors import digest_of_tensors
from finewright.plugins import load
from finewright.schema.adapter import (
    AdapterSpec,
    FullSpec,
    IA3Spec,
    LoraSpec,
    PrefixSpec,
    PromptSpec,
)
from finewright.schema.methods import ORPOSpec
from finewright.schema.train import TrainSettings
from finewright.train import checkpoint
from finewright.train.checkpoint import CheckpointProgress, State
from finewright.train.loop import TrainStep, measure_held_out_loss, train
from finewright.train.ranks import ALONE, Ranks
from finewright.train.references import References
from finewright.train.state import gather_state, state_of
from finewright.train.teacher import TaughtRows

ADAPTERS: Mapping[str, AdapterSpec] = {
    "dora": LoraSpec(r=4, use_dora=True),
    "nf4": LoraSpec(r=4, quantization="nf4"),
    "ia3": IA3Spec(),
    "prefix": PrefixSpec(num_virtual_tokens=3),
    "prompt": PromptSpec(num_virtual_tokens=3),
    "all weights": FullSpec(),
}
# Without dropout, as each process drops other units.
CASES = {
    name: spec.model_copy(update={"adapter": LoraSpec(r=4), "max_steps": 2})
    for name, spec in {**SPECS, "orpo, tokens": ORPOSpec(**SHARED, nll_mean="tokens")}.items()
} | {
    f"sft, {name}": SPECS["sft"].model_copy(update={"adapter": adapter, "max_steps": 2})
    for name, adapter in ADAPTERS.items()
}
CASES["dpo, all weights"] = SPECS["dpo"].model_copy(update={"adapter": FullSpec(), "max_steps": 2})
# Of each kind of state one: the optimiser's alone, references, heads, rollouts, a teacher, packed weights.
RESUMED = ("sft", "dpo", "kto", "ppo", "grpo", "gkd", "sft, nf4", "sft, all weights")
# Over a base in shards, and with all weights in shards.
SHARDED_OVER = 2
SHARDED = ("sft", "dpo", "orpo", "simpo", "kto", "sft, all weights", "dpo, all weights")
CUT_AFTER = 1
"""Steps of a training of the largest size, which then goes on in fewer processes."""
LONG = 1500
"""Bytes: a message of the third rank is longer than one that goes at once."""
Figures = dict[str, Any]
"""Of each step its loss, norm, counts and metrics; of held-out rows loss and metrics; the weights' digest."""


def begin(spec: TrainSettings, ranks: Ranks = ALONE, *, lent: bool = False) -> MethodRun:
    """A training on this rank, before its first step; `lent` over a base in shards."""
    model, device = tiny.tiny_model("llama"), torch.device("cpu")
    parts = add_adapter(model, spec.adapter, seed=spec.seed, device=device, lent=lent)
    if lent:
        replicated = {p for part in parts.values() for p in part.parameters(recurse=False)}
        shard(model, replicated, device, ranks.group)
    lm = LM(model, parts)
    stores = {"references": References(ranks=ranks), "taught": TaughtRows(ranks=ranks)}
    method = load(spec.code)(spec, replace(setup_of(lm), ranks=ranks, **stores))
    return MethodRun(spec, rows_for(spec), (lm, method))


def steps_of(run: MethodRun, ranks: Ranks = ALONE, start: int = 0) -> Iterator[TrainStep]:
    """The steps of all ranks from that one on."""
    return train(
        run.lm,
        run.method,
        run.rows,
        run.schedule,
        run.optimizer,
        start_step=start,
        micro_batch_tokens=run.spec.micro_batch_tokens,
        ranks=ranks,
    )


def figures_of(spec: TrainSettings, ranks: Ranks = ALONE, *, lent: bool = False) -> Figures:
    """Train on this rank."""
    run = begin(spec, ranks, lent=lent)
    steps = [
        [step.loss, step.grad_norm, step.tokens, step.trained_tokens, step.metrics]
        for step in steps_of(run, ranks)
    ]
    held = held_numbers(run.lm)
    limit = spec.micro_batch_tokens
    looks = measure_held_out_loss(
        run.lm, run.method, run.rows, batch_size=len(run.rows), max_tokens=limit, ranks=ranks
    )
    files = whole_state(run).files()
    weights = {
        f"{file} {name}": t for file, tensors in files.items() for name, t in tensors.items()
    }
    return {"steps": steps, "looks": looks, "weights": digest_of_tensors(weights), "held": held}


def whole_state(run: MethodRun) -> State:
    """All that decides the next step, on each rank that calls it."""
    return gather_state(state_of(run.lm, run.method, run.optimizer), keep=True)


def held_numbers(lm: LM) -> list[int]:
    """Of the base's numbers, or of those that learn, how many this rank holds after a step, and how many
    there are."""
    trained = lm.parameters()
    base = [p for p in lm.model.parameters() if not p.requires_grad] or trained
    own = [p.to_local() if isinstance(p, DTensor) else p for p in base]
    return [sum(p.numel() for p in some) for some in (own, base)]


def cut_training(spec: TrainSettings, ranks: Ranks, folder: Path, *, lent: bool = False) -> None:
    """Train some steps, of which the first rank keeps a checkpoint."""
    run = begin(spec, ranks, lent=lent)
    next(step for step in steps_of(run, ranks) if step.step == CUT_AFTER)
    state = whole_state(run)
    if ranks.is_first:
        checkpoint.save(folder, key=KEY, progress=CheckpointProgress(CUT_AFTER), state=state)
    ranks.agree(None)  # it is written


def go_on(
    spec: TrainSettings, ranks: Ranks = ALONE, folder: Path | None = None, *, lent: bool = False
) -> Figures:
    """The losses after the cut, and what is trained in the end: from a folder's checkpoint, else unbroken."""
    run = begin(spec, ranks, lent=lent)
    start = run.resume(folder) if folder else 0
    losses = [step.loss for step in steps_of(run, ranks, start)]
    weights = whole_state(run).weights
    return {
        "losses": losses[CUT_AFTER - start :],
        "weights": {name: tensor.flatten().tolist() for name, tensor in weights.items()},
    }


def _serve(number: int, sizes: Sequence[int], folder: Path) -> None:
    torch.set_num_threads(1)
    most = max(sizes)
    dist.init_process_group(
        "gloo", init_method=f"file://{folder / 'store'}", rank=number, world_size=most
    )
    groups = {size: dist.new_group(list(range(size))) for size in sizes}
    found = {
        f"{size} {name}": figures_of(spec, Ranks(number, size, group))
        for size, group in groups.items()
        if number < size
        for name, spec in CASES.items()
    }
    if number < SHARDED_OVER:
        ranks = Ranks(number, SHARDED_OVER, groups[SHARDED_OVER])
        for name in SHARDED:
            found[f"sharded {name}"] = figures_of(CASES[name], ranks, lent=True)
    for name in RESUMED:
        spec, cut = CASES[name], folder / "cut" / name
        cut_training(spec, Ranks(number, most), cut)
        for size, group in groups.items():
            if number < size < most:
                found[f"on in {size} {name}"] = go_on(spec, Ranks(number, size, group), cut)
                if name in SHARDED:
                    ranks = Ranks(number, size, group)
                    found[f"on in shards {name}"] = go_on(spec, ranks, cut, lent=True)
                    cut_training(spec, ranks, folder / "shards" / name, lent=True)
        if number == most - 1:
            found[f"on in 1 {name}"] = go_on(spec, ALONE, cut)
        if number == 0 and name in SHARDED:
            found[f"out of shards {name}"] = go_on(spec, ALONE, folder / "shards" / name)
    texts = Ranks(number, most).gather("x" * (LONG * number))
    found["lengths"] = {"gathered": [len(text) for text in texts]}
    (folder / f"{number}.json").write_text(json.dumps(found))
    dist.barrier()
    dist.destroy_process_group()


def train_in_processes(sizes: Sequence[int]) -> list[dict[str, Figures]]:
    """Of each rank of the largest size: `size case` -> its figures."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["in_ranks"])
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        started = [
            context.Process(target=_serve, args=(number, sizes, folder))
            for number in range(max(sizes))
        ]
        for process in started:
            process.start()
        for process in started:
            process.join(300)
        assert [process.exitcode for process in started] == [0] * len(started)
        return [json.loads((folder / f"{n}.json").read_text()) for n in range(max(sizes))]
