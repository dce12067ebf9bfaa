"""How far estimates are from what was measured: memory by tier, and time.

    python benchmarks/estimator.py                          # two models, 14 runs, about 25 minutes
    python benchmarks/estimator.py --only smollm2 --first 2 # a try
    python benchmarks/estimator.py --traces                 # formula against trace, 28 configurations
    python benchmarks/estimator.py --specs quickstart.yaml ...  # predicted and real seconds of runs
    python benchmarks/estimator.py --published --bars       # other frameworks beside published figures, 2 s

Each run is a process of its own. Memory is the peak of the tensors: by the closed formula, by a trace without
weights, and as the allocator counts it; and the process's own peak beside the formula's expectation of it.
Time: ten seconds of steps predict how long the next thirty seconds' worth of steps take."""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from bars import finish, parser_of
from finewright.estimate.families import shape_of
from finewright.estimate.memory import MemoryLoad, memory
from finewright.feature import ask_day
from finewright.features.cost.job import Rows, TrainingJob
from finewright.features.cost.model import describe_model
from finewright.features.cost.needs import formula
from finewright.lm import runtime
from finewright.schema.adapter import FullSpec, IA3Spec, LoraSpec, PrefixSpec
from finewright.schema.cost import Range
from finewright.schema.methods import DPOSpec, SFTSpec
from process import RowError, figures_of, machine, thread_settings
from published_training import residuals

GIB = 2**30
MODELS = {"smollm2": "smollm2-135m-instruct", "gemma": "gemma3-270m"}
RUNS = [
    {"adapter": {"type": "lora"}, "length": 256},
    {"adapter": {"type": "lora"}, "length": 512},
    {"adapter": {"type": "lora"}, "length": 1024},
    {"adapter": {"type": "lora"}, "length": 512, "memory": "lean"},
    {"adapter": {"type": "lora", "quantization": "nf4"}, "length": 512},
    {"adapter": {"type": "none"}, "length": 256},
    {"adapter": {"type": "lora"}, "length": 512, "method": "dpo", "memory": "lean"},
]
BATCH_TOKENS = 1024
MEASURED_SECONDS = 30.0


def main() -> None:
    runtime.share_cores()  # before torch
    parser = parser_of(__doc__)
    parser.add_argument("--only", choices=MODELS, help="one of the models")
    parser.add_argument("--first", type=int, default=len(RUNS), help="only the first runs of each")
    parser.add_argument("--traces", action="store_true", help="formula against trace")
    parser.add_argument(
        "--specs", nargs="+", type=Path, default=[], help="runs to predict and make"
    )
    parser.add_argument("--published", action="store_true", help="published peaks and steps")
    parser.add_argument("--one", type=json.loads, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one is not None:
        print(json.dumps(figures(options.one)))
        return
    if options.published:
        sys.exit(finish(residuals.bars(), options))
    print(json.dumps(machine()))
    if options.traces:
        report_traces()
    elif options.specs:
        report_specs(options.specs)
    else:
        names = [options.only] if options.only else list(MODELS)
        report_runs([{"model": name, **run} for name in names for run in RUNS[: options.first]])


def report_runs(runs: Sequence[dict[str, Any]]) -> None:
    print(
        "| run | formula GiB | trace GiB | measured GiB | formula off | trace off | process GiB:"
        " formula, measured | seconds: predicted, measured | off |"
    )
    print("|---|---|---|---|---|---|---|---|---|")
    environment = thread_settings(runtime.physical_cores()) | {"GOMP_SPINCOUNT": "2000"}
    for run in runs:
        name = " ".join(str(v) if k != "adapter" else "/".join(v.values()) for k, v in run.items())
        try:
            found = figures_of([sys.executable, __file__, "--one", json.dumps(run)], environment)
        except RowError as error:
            print(f"| {name} | {error} |")
            continue
        tensors, seconds = found["measured"], found["seconds"]
        print(
            f"| {name} | {found['formula']:.3f} | {found['trace']:.3f} | {tensors:.3f}"
            f" | {off(found['formula'], tensors)} | {off(found['trace'], tensors)}"
            f" | {found['process_formula']:.2f}, {found['process']:.2f}"
            f" | {found['predicted_seconds']:.1f}, {seconds:.1f}"
            f" | {off(found['predicted_seconds'], seconds)} |",
            flush=True,
        )


def off(predicted: float, measured: float) -> str:
    return f"{100 * (predicted / measured - 1):+.1f} %"


def figures(run: dict[str, Any]) -> dict[str, float]:
    """One run, predicted and measured."""
    from finewright.features.cost import steps as cost_steps
    from finewright.lm.microsteps import micro_steps
    from finewright.train.bench import trial_steps
    from finewright.train.load import load_for_training
    from finewright.workbench.prepare import resolved_here

    described = describe_model(MODELS[run["model"]], Path.cwd())
    assert described.base is not None
    kind = DPOSpec if run.get("method") == "dpo" else SFTSpec
    count = max(1, BATCH_TOKENS // run["length"])
    given = kind(
        adapter=run["adapter"],
        memory=run.get("memory", "fast"),
        batch_size=count,
        max_length=2 * run["length"],
        learning_rate=1e-5,
    )
    spec, _ = resolved_here(given, described.base)
    rows = alike(run["length"], count * run["length"])
    job = TrainingJob(
        run["model"], shape_of(described.config), spec, rows, 100, _span(1000 * run["length"])
    )
    number = 2 if spec.dtype == "bf16" else 4
    load = job.load(gpu=False, number=number)
    needs = formula(job, gpu=False, number=number)
    traced = cost_steps.traced_bytes(job, described.folder, gpu=False, number=number)
    steps_spec = cost_steps._for_steps(spec, load)
    lm = load_for_training(described.base, steps_spec)
    examples = cost_steps.largest_rows(job, load)
    micro = micro_steps(lm, lambda: trial_steps(lm, steps_spec, examples))
    usual = cost_steps.usual_rows(job)
    speed = cost_steps._speed(lm, steps_spec, usual)
    tokens, seconds = _go_on(trial_steps(lm, steps_spec, usual))
    return {
        "formula": memory(job.shape, load).tensors / GIB,
        "trace": traced / GIB,
        "measured": micro.tensors / GIB,
        "process_formula": needs.process_gib.median,
        "process": micro.process / GIB,
        "predicted_seconds": tokens / speed.median,
        "seconds": seconds,
    }


def alike(length: int, batch_tokens: int) -> Rows:
    """A thousand rows of one length, of which three fifths are learned."""
    return Rows(1000, length, length, length, batch_tokens, 0.6, "counted")


def _span(value: float) -> Range:
    return Range(low=value, median=value, high=value)


def _go_on(steps: Iterator[Any]) -> tuple[int, float]:
    """Tokens and seconds of the steps that follow."""
    tokens, seconds, started = 0, 0.0, time.perf_counter()
    for step in islice(steps, 1, None):
        tokens, seconds = tokens + step.tokens, seconds + step.seconds
        if time.perf_counter() - started > MEASURED_SECONDS:
            break
    return tokens, seconds


def report_specs(paths: Sequence[Path]) -> None:
    """What `cost --calibrate` says of each run, and what its steps then took."""
    from finewright.features.cost.forecast import cost
    from finewright.schema.load import load_spec
    from finewright.workbench.up import up

    print("| run | predicted s | measured s | off | in the interval |\n|---|---|---|---|---|")
    for path in paths:
        loaded = load_spec(path)
        with tempfile.TemporaryDirectory() as folder:
            runs = Path(folder)
            told = cost(loaded, trace=False, calibrate=True, runs=runs, today=ask_day())
            done = up(loaded, runs, on_event=lambda *_: None, through="train")
        assert done.train is not None
        for candidate, estimate in zip(done.train.candidates, told.candidates, strict=True):
            hours = estimate.machines[0].hours
            assert hours is not None
            seconds = candidate.seconds
            inside = 3600 * hours.low <= seconds <= 3600 * hours.high
            print(
                f"| {path}: {candidate.base_model} | {3600 * hours.median:.0f} | {seconds:.0f}"
                f" | {off(3600 * hours.median, seconds)} | {'yes' if inside else 'no'} |",
                flush=True,
            )


def _shape(family: str, sizes: Sequence[int], **more: Any) -> dict[str, Any]:
    names = (
        "hidden_size",
        "intermediate_size",
        "num_hidden_layers",
        "num_attention_heads",
        "num_key_value_heads",
        "vocab_size",
    )
    return {"model_type": family, **dict(zip(names, sizes, strict=True)), **more}


SHAPES = {
    "smollm2-135m": _shape("llama", (576, 1536, 30, 9, 3, 49152), tie_word_embeddings=True),
    "gemma-3-270m": _shape("gemma3_text", (640, 2048, 18, 4, 1, 262144), head_dim=256),
    "gemma-3-4b": _shape("gemma3_text", (2560, 10240, 34, 8, 4, 262208), head_dim=256),
    "gemma-2-2b": _shape("gemma2", (2304, 9216, 26, 8, 4, 256000), head_dim=256),
    "qwen2.5-0.5b": _shape("qwen2", (896, 4864, 24, 14, 2, 151936), tie_word_embeddings=True),
    "qwen2.5-7b": _shape("qwen2", (3584, 18944, 28, 28, 4, 152064)),
    "llama-3.1-8b": _shape("llama", (4096, 14336, 32, 32, 8, 128256)),
    "llama-3.1-70b": _shape("llama", (8192, 28672, 80, 64, 8, 128256)),
    "phi-4-mini": _shape(
        "phi3", (3072, 8192, 32, 24, 8, 200064), tie_word_embeddings=True, pad_token_id=0
    ),
    "mixtral-8x7b": _shape(
        "mixtral", (4096, 14336, 32, 32, 8, 32000), num_local_experts=8, num_experts_per_tok=2
    ),
    "qwen3-30b-a3b": _shape(
        "qwen3_moe",
        (2048, 6144, 48, 32, 4, 151936),
        head_dim=128,
        num_experts=128,
        num_experts_per_tok=8,
        moe_intermediate_size=768,
    ),
    "deepseek-v3": _shape(
        "deepseek_v3",
        (7168, 18432, 61, 128, 128, 129280),
        moe_intermediate_size=2048,
        n_routed_experts=256,
        n_shared_experts=1,
        num_experts_per_tok=8,
        first_k_dense_replace=3,
        n_group=8,
        topk_group=4,
        q_lora_rank=1536,
        kv_lora_rank=512,
        qk_nope_head_dim=128,
        qk_rope_head_dim=64,
        v_head_dim=128,
    ),
}
LORA, NF4, FULL = LoraSpec(), LoraSpec(quantization="nf4"), FullSpec()
TRACES: list[tuple[str, Any, int, dict[str, Any]]] = [
    *(
        ("smollm2-135m", adapter, 1024, {})
        for adapter in (LORA, NF4, FULL, IA3Spec(), PrefixSpec())
    ),
    *(("smollm2-135m", adapter, 1024, {"memory": "lean"}) for adapter in (LORA, FULL)),
    ("smollm2-135m", LoraSpec(use_dora=True), 1024, {}),
    ("smollm2-135m", LoraSpec(dropout=0.1), 1024, {}),
    ("smollm2-135m", LORA, 1024, {"dtype": "fp32"}),
    *(("gemma-3-270m", adapter, 1024, {}) for adapter in (LORA, FULL)),
    ("gemma-3-4b", LORA, 4096, {"gpu": True}),
    ("gemma-3-4b", LORA, 16384, {"gpu": True, "memory": "lean"}),
    ("gemma-2-2b", LORA, 2048, {}),
    ("gemma-2-2b", LORA, 8192, {"gpu": True, "memory": "lean"}),
    ("qwen2.5-0.5b", LORA, 16384, {"gpu": True}),
    ("qwen2.5-7b", LORA, 16384, {"gpu": True}),
    ("qwen2.5-7b", FULL, 4096, {"gpu": True, "memory": "lean"}),
    ("llama-3.1-8b", NF4, 4096, {"gpu": True, "memory": "lean"}),
    ("llama-3.1-8b", LoraSpec(quantization="int8"), 2048, {}),
    ("llama-3.1-70b", NF4, 2048, {"gpu": True, "memory": "lean"}),
    ("phi-4-mini", LORA, 2048, {"gpu": True}),
    ("mixtral-8x7b", LORA, 2048, {}),
    ("mixtral-8x7b", NF4, 16384, {"gpu": True, "memory": "lean"}),
    ("qwen3-30b-a3b", LORA, 4096, {"gpu": True}),
    ("qwen3-30b-a3b", LORA, 16384, {"gpu": True, "memory": "lean"}),
    ("deepseek-v3", NF4, 4096, {"gpu": True, "memory": "lean"}),
]


def report_traces() -> None:
    print("| model | adapter | tokens | settings | trace GiB | formula GiB | off | seconds |")
    print("|---|---|---|---|---|---|---|---|")
    for name, adapter, tokens, settings in TRACES:
        started = time.perf_counter()
        peak, told = traced_and_told(SHAPES[name], adapter, tokens, **settings)
        kind = " ".join(f"{k}={v}" for k, v in adapter.model_dump(exclude_defaults=True).items())
        print(
            f"| {name} | {adapter.type} {kind} | {tokens} | {settings} | {peak / GIB:.3f}"
            f" | {told / GIB:.3f} | {off(told, peak)} | {time.perf_counter() - started:.1f} |",
            flush=True,
        )


def traced_and_told(
    config: dict[str, Any],
    adapter: Any,
    tokens: int,
    *,
    gpu: bool = False,
    memory: str = "fast",
    dtype: str = "bf16",
) -> tuple[float, float]:
    from finewright.features.cost.steps import traced_bytes

    spec = SFTSpec(
        adapter=adapter,
        memory=memory,
        dtype=dtype,
        batch_size=max(1, tokens // 512),
        micro_batch_tokens=tokens,
        learning_rate=1e-5,
    )
    rows = alike(512, tokens)
    job = TrainingJob("shape", shape_of(config), spec, rows, 100, _span(512_000))
    number = 2 if dtype == "bf16" else 4
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "config.json").write_text(json.dumps(config), encoding="utf-8")
        peak = traced_bytes(job, Path(folder), gpu=gpu, number=number)
    return peak, told_by_formula(job, job.load(gpu=gpu, number=number))


def told_by_formula(job: TrainingJob, load: MemoryLoad) -> float:
    return memory(job.shape, load).tensors


if __name__ == "__main__":
    main()
