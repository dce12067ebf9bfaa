"""Every method trained by several real processes, from the same rows and seed: what each of them reports.

The processes are forked from one that has imported torch and trained nothing, which costs one import for
all of them."""

import json
import multiprocessing
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from test_every_method import SHARED, SPECS, rows_for
from updates import setup_of

import tiny
from finewright.conformance.method import MethodRun
from finewright.lm.adapters.kinds import add_adapter
from finewright.lm.model import LM
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
from finewright.train.loop import measure_held_out_loss, train
from finewright.train.ranks import ALONE, Ranks
from finewright.train.references import References
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
LONG = 1500
"""Bytes: a message of the third rank is longer than one that goes at once."""
Figures = dict[str, Any]
"""Of each step its loss, norm, counts and metrics; of held-out rows loss and metrics; the weights' digest."""


def figures_of(spec: TrainSettings, ranks: Ranks = ALONE) -> Figures:
    """Train on this rank."""
    model = tiny.tiny_model("llama")
    lm = LM(model, add_adapter(model, spec.adapter, seed=spec.seed, device=torch.device("cpu")))
    stores = {"references": References(ranks=ranks), "taught": TaughtRows(ranks=ranks)}
    method = load(spec.code)(spec, replace(setup_of(lm), ranks=ranks, **stores))
    run = MethodRun(spec, rows_for(spec), (lm, method))
    limit = spec.micro_batch_tokens
    steps = [
        [step.loss, step.grad_norm, step.tokens, step.trained_tokens, step.metrics]
        for step in train(
            lm, method, run.rows, run.schedule, run.optimizer, micro_batch_tokens=limit, ranks=ranks
        )
    ]
    looks = measure_held_out_loss(
        lm, method, run.rows, batch_size=len(run.rows), max_tokens=limit, ranks=ranks
    )
    return {"steps": steps, "looks": looks, "weights": digest_of_tensors(run.state())}


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
