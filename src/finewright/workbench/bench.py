"""`bench`: how fast this machine trains a model, on steps that are thrown away."""

import os
import statistics
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from finewright.data.gather import gather
from finewright.data.sets import build_set
from finewright.errors import DataError, FetchError, MissingExtra, ModelError, SpecError, StageError
from finewright.lm import runtime
from finewright.lm.sources import BaseModel, check_name, locate, num_parameters
from finewright.schema.bench import BenchMachine, BenchReport, BenchRows, BenchSpeed
from finewright.schema.common import Problem, RowCounts
from finewright.schema.data import DataSpec, SourceSpec
from finewright.schema.rows import Row
from finewright.schema.train import SFTSpec
from finewright.store.stage import refuse
from finewright.workbench.prepare import resolved_here
from finewright.workbench.up import OnEvent

if TYPE_CHECKING:
    from finewright.lm.batch import Encoded
    from finewright.lm.model import LM
    from finewright.train.loop import Step

DATA_SET = "solidity"
_WARM_UP_STEPS = 2
_BUSY_SHARE = 0.5


@dataclass(frozen=True, slots=True)
class Load:
    """What is trained, and for how long; without `data`, rows of finewright's own choice."""

    data: Path | None
    steps: int
    batch_size: int
    max_length: int
    threads: int | None


class _Rows(NamedTuple):
    encoded: Sequence["Encoded"]
    told: BenchRows


def bench(base_model: str, load: Load, on_event: OnEvent) -> BenchReport:
    """Train the steps as `train` would, report their speed, and keep nothing.

    Wrong input raises SpecError, DataError or ModelError before anything is fetched."""
    started, load_average = time.perf_counter(), os.getloadavg()[0]
    if load.steps < 2:  # noqa: PLR2004 - one to warm up, one to time
        raise SpecError(
            f"--steps {load.steps}: the first step is warm-up, so at least 2 are needed"
        )
    check_name(base_model, Path.cwd())
    given = None if load.data is None else _read(load.data)
    runtime.require_runtime()
    on_event("preparing", {})
    from finewright.lm.kernels import why_no_kernels
    from finewright.train.bench import load_for_training

    base = locate(base_model, Path.cwd())
    spec = _settings(base, load)
    rows = _own_rows(base, load) if given is None else _encoded(base, given, load)
    lm = load_for_training(base, spec)
    seconds_to_first_step = time.perf_counter() - started
    steps = _trained(lm, spec, rows.encoded, on_event)
    peak_gib = runtime.peak_gib()
    machine = BenchMachine(
        device=runtime.describe_device(),
        load_average=round(load_average, 2),
        kernels=why_no_kernels() or "loaded",
        gemm_gflops=_gemm_gflops(),
    )
    return BenchReport(
        base_model=base_model,
        parameters=num_parameters(base.folder),
        trainable_parameters=sum(p.numel() for p in lm.parameters()),
        train=spec,
        rows=rows.told,
        machine=machine,
        speed=_speed(lm, steps[_warm_up(load.steps) :]),
        warm_up_steps=_warm_up(load.steps),
        seconds_to_first_step=round(seconds_to_first_step, 1),
        peak_gib=round(peak_gib, 3),
        slow_paths=lm.slow_paths(),
        problems=_busy(load_average),
    )


def _warm_up(steps: int) -> int:
    return min(_WARM_UP_STEPS, steps - 1)


def _settings(base: BaseModel, load: Load) -> SFTSpec:
    given = SFTSpec(
        max_steps=load.steps,
        batch_size=load.batch_size,
        max_length=load.max_length,
        on_overlong="drop",
        threads=load.threads,
    )
    return resolved_here(given, base)[0]


def _read(path: Path) -> Sequence[Row]:
    spec = DataSpec(sources=(SourceSpec(path=str(path)),))
    gathered = gather(spec, Path)
    refuse(gathered.problems)
    return gathered.train


def _own_rows(base: BaseModel, load: Load) -> _Rows:
    """Real rows of mixed length; where they cannot be had, random tokens of such lengths."""
    from finewright.train.bench import synthetic_rows

    try:
        with tempfile.TemporaryDirectory() as folder:
            build_set(DATA_SET, Path(folder))
            rows = _read(Path(folder) / "train.jsonl")
        found = _encoded(base, rows, load)
        return found._replace(told=found.told.model_copy(update={"source": f"the {DATA_SET} set"}))
    except (FetchError, MissingExtra, ModelError) as error:
        count = load.steps * load.batch_size
        why = Problem(level="info", message=f"the {DATA_SET} set is not used: {error}")
        told = BenchRows(
            source="random tokens of mixed lengths",
            counts=RowCounts(rows_in=count, rows_kept=count),
            problems=(why,),
        )
        return _Rows(synthetic_rows(count, max_length=load.max_length), told)


def _encoded(base: BaseModel, rows: Sequence[Row], load: Load) -> _Rows:
    """As many of the first rows as the steps take; the overlong ones are left out and counted."""
    from finewright.lm.encode import encode_rows
    from finewright.lm.load import load_chat

    wanted = rows[: load.steps * load.batch_size]
    encoded = encode_rows(load_chat(base), wanted, max_length=load.max_length, on_overlong="drop")
    refuse(encoded.problems)
    if not encoded.rows:
        raise DataError(
            f"{load.data}: none of the first {len(wanted)} rows has at most {load.max_length} tokens",
            hint="raise --max-length",
        )
    return _Rows(encoded.rows, BenchRows(source=str(load.data), counts=encoded.counts))


def _trained(lm: "LM", spec: SFTSpec, rows: Sequence["Encoded"], on_event: OnEvent) -> list["Step"]:
    from finewright.train.bench import steps

    done = []
    try:
        for step in steps(lm, spec, rows):
            on_event("metric", {"steps": spec.max_steps, **asdict(step)})
            done.append(step)
    except FloatingPointError as error:
        raise StageError(f"training diverged: {error}") from None
    return done


def _speed(lm: "LM", steps: Sequence["Step"]) -> BenchSpeed:
    from finewright.lm.flops import flops_per_token

    speeds = [step.tokens / step.seconds for step in steps]
    tokens = sum(step.tokens for step in steps)
    trained_tokens = sum(step.trained_tokens for step in steps)
    flops = flops_per_token(lm, trained_tokens / tokens)
    return BenchSpeed(
        steps=len(steps),
        tokens=tokens,
        trained_tokens=trained_tokens,
        median=round(statistics.median(speeds), 1),
        slowest=round(min(speeds), 1),
        fastest=round(max(speeds), 1),
        flops_per_token=flops,
        useful_gflops=round(statistics.median(speeds) * flops / 1e9, 1),
    )


def _gemm_gflops() -> dict[str, float]:
    """By number format; emulated bfloat16 would take a minute and nobody trains in it."""
    from finewright.train.bench import gemm_gflops

    measured = {"fp32": gemm_gflops("fp32")}
    if runtime.fast_bf16():
        measured["bf16"] = gemm_gflops("bf16")
    return {name: round(gflops, 1) for name, gflops in measured.items()}


def _busy(load_average: float) -> tuple[Problem, ...]:
    if load_average <= _BUSY_SHARE:
        return ()
    return (
        Problem(
            level="warning",
            message=f"the load was {load_average:.1f} before the start: this machine is or just was busy,"
            " and a quiet one is faster",
            hint="close what runs, wait a minute, repeat",
        ),
    )
