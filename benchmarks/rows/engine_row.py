"""New tokens a second, greedy, with the generation engine over the native step; adapters and memory too."""

import json
import sys
import time
from pathlib import Path
from statistics import median

from finewright.lm.runtime import share_cores

share_cores()  # as the command line does, before torch is imported

import torch  # noqa: E402
from job import peak_gib  # noqa: E402

from finewright.lm.adapters.linears import linear_paths  # noqa: E402
from finewright.lm.adapters.lora import add_lora  # noqa: E402
from finewright.lm.engine.engine import EngineLimits, GenerationEngine  # noqa: E402
from finewright.lm.engine.native import native_forward  # noqa: E402
from finewright.lm.engine.recognise import shape_of  # noqa: E402
from finewright.lm.engine.requests import GenerationRequest  # noqa: E402
from finewright.lm.engine.weights import AdapterWeights, LowRankDelta  # noqa: E402
from finewright.lm.load import load_model  # noqa: E402
from finewright.lm.sources import LocalBase  # noqa: E402
from finewright.schema.adapter import LoraSpec  # noqa: E402

MEASURE_FIRST, MEASURE_ADAPTERS = 8, 32  # with so many streams

job = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
form = sys.argv[2]
torch.set_num_threads(job["threads"])
model = load_model(LocalBase("base", Path(job["model"]), "", "unknown"), dtype="bf16")
if form != "none":
    add_lora(model, LoraSpec(quantization=form), seed=0)
per_stream = max(map(len, job["prompts"])) + job["new_tokens"] + 16
found = native_forward(model, 16 + max(16, *job["batches"]) * per_stream // 16)
assert not isinstance(found, str), found
forward = found
limits = EngineLimits(model.config.vocab_size, max_running=max(16, *job["batches"]))


def seconds_of(adapters: list[str | None], new_tokens: int) -> tuple[float, float]:
    """Until all answers are there, and until half of the first tokens are; a stream for each adapter."""
    engine = GenerationEngine(forward, limits)  # which finds no block of a run before
    engine._loaded |= dict.fromkeys(adapters, 1)
    started = time.perf_counter()
    firsts: dict[int, float] = {}
    for prompt, adapter in zip(job["prompts"], adapters, strict=False):
        engine.add(GenerationRequest(tuple(prompt), new_tokens, adapter=adapter))
    while engine.has_work:
        for written in engine.step():
            firsts.setdefault(written.request, time.perf_counter() - started)
    return time.perf_counter() - started, median(firsts.values())


def read_gb_per_s(numbers: torch.Tensor) -> float:
    """A plain streaming read of all numbers, by as many threads as the engine's."""
    best = float("inf")
    for _ in range(3):
        started = time.perf_counter()
        numbers.sum()
        best = min(best, time.perf_counter() - started)
    return numbers.nbytes / best / 1e9


def shares_of_a_read(num_bytes: int) -> tuple[float, float]:
    """One stream's share of a plain read of as many bytes as a step reads, and that read's GB/s.

    A read before each run and after it, as a machine's memory has others to serve too."""
    numbers = torch.ones(num_bytes // 4)
    reads, shares = [read_gb_per_s(numbers)], []
    for _ in range(3):
        seconds, _ = seconds_of([None], job["new_tokens"])
        reads.append(read_gb_per_s(numbers))
        speed = job["new_tokens"] * num_bytes / seconds / 1e9
        shares.append(speed / ((reads[-2] + reads[-1]) / 2))
    return median(shares), median(reads)


def weight_bytes() -> int:
    """What a step reads of the model: every linear's weight, and the head."""
    head: torch.Tensor = model.get_output_embeddings().weight
    linears = [model.get_submodule(path) for path in linear_paths(model)]
    packed = [getattr(getattr(m, "frozen", None), "packed", None) for m in linears]
    whole = [2 * shape_of(m)[0] * shape_of(m)[1] for m in linears]
    return head.nbytes + sum(p.nbytes if p else n for p, n in zip(packed, whole, strict=True))


def lora(seed: int) -> AdapterWeights:
    """Rank 16 on every linear."""
    generator = torch.Generator().manual_seed(seed)
    deltas = {}
    for path in linear_paths(model):
        outputs, inputs = shape_of(model.get_submodule(path))
        a, b = (torch.randn(n, generator=generator) for n in ((16, inputs), (outputs, 16)))
        deltas[path] = LowRankDelta(0.01 * a, 0.01 * b, 1.0)
    return AdapterWeights(deltas)


seconds_of([None, None], 2)
figures: dict[str, float] = {}
for size in job["batches"]:
    seconds, _ = seconds_of([None] * size, job["new_tokens"])
    figures[str(size)] = size * job["new_tokens"] / seconds
if 1 in job["batches"]:
    figures["share_of_read"], figures["read_gb_per_s"] = shares_of_a_read(weight_bytes())
if MEASURE_FIRST in job["batches"]:
    figures["first_token_s"] = seconds_of([None] * MEASURE_FIRST, 1)[1]
if form == "none" and MEASURE_ADAPTERS in job["batches"]:
    for key in range(8):
        forward.load(f"{key}", lora(key))
    pairs = []
    for _ in range(3):
        one, _ = seconds_of(["0"] * 16, job["new_tokens"])
        eight, _ = seconds_of([f"{i % 8}" for i in range(16)], job["new_tokens"])
        pairs.append(one / eight)
    figures["eight_adapters"] = median(pairs)
print(json.dumps(figures | {"peak_gib": peak_gib()}))
