"""`bench`: how fast this machine trains a model, on steps that are thrown away."""

import statistics
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from finewright.data.gather import gather
from finewright.data.sets.build import build_set
from finewright.errors import DataError, FetchError, MissingExtra, ModelError, SpecError, StageError
from finewright.lm import runtime
from finewright.lm.sources import LocalBase, check_name, locate, num_parameters
from finewright.schema.bench import BenchMachine, BenchReport, BenchRows, BenchSpeed
from finewright.schema.common import Problem, RowCounts
from finewright.schema.data import DataSpec, SourceSpec
from finewright.schema.methods import SFTSpec
from finewright.schema.rows import Row
from finewright.schema.train import TrainSettings
from finewright.store.stage import refuse
from finewright.train.prepared import prepare_rows
from finewright.train.rows import MethodRows, rows_for
from finewright.workbench.prepare import resolve_here
from finewright.workbench.up import OnEvent

if TYPE_CHECKING:
    from finewright.lm.example import Example
    from finewright.lm.model import LM
    from finewright.train.loop import TrainStep

DATA_SET = "solidity"
_WARM_UP_STEPS = 2
_BUSY_CORES = 0.3


@dataclass(frozen=True, slots=True)
class BenchLoad:
    """What is trained, and for how long; without `data`, rows of finewright's own choice."""

    data: Path | None
    steps: int
    batch_size: int
    max_length: int
    threads: int | None

    @property
    def rows(self) -> int:
        """Rows that the steps take, each one once."""
        return self.steps * self.batch_size


class _Rows(NamedTuple):
    encoded: Sequence["Example"]
    report: BenchRows


class _Trained(NamedTuple):
    steps: Sequence["TrainStep"]
    first_done: float


def bench(base_model: str, load: BenchLoad, on_event: OnEvent) -> BenchReport:
    """Train the steps as `train` would with the same settings, report their speed, and keep nothing.

    Wrong input raises SpecError, DataError or ModelError before anything is fetched."""
    started, others = time.perf_counter(), runtime.cores_others_use()
    if load.steps < 2:  # noqa: PLR2004 - one to warm up, one to time
        raise SpecError(
            f"--steps {load.steps}: the first step is warm-up, so at least 2 are needed"
        )
    check_name(base_model, Path.cwd())
    given = None if load.data is None else _read(load.data)
    runtime.require_runtime()
    on_event("preparing", {})
    from finewright.lm.kernels import why_no_kernels
    from finewright.train.load import load_for_training

    base = locate(base_model, Path.cwd())
    spec = _settings(base, load)
    rows = _own_rows(base, spec, load) if given is None else _encode_rows(base, spec, given, load)
    lm = load_for_training(base, spec)
    done = _train(lm, spec, rows.encoded, on_event)
    peak_gib = runtime.peak_gib()
    return BenchReport(
        base_model=base_model,
        parameters=num_parameters(base.folder),
        trainable_parameters=sum(p.numel() for p in lm.parameters()),
        train=spec,
        rows=rows.report,
        machine=BenchMachine(
            device=runtime.describe_device(),
            cores_others_use=round(others, 2),
            kernels=why_no_kernels() or "loaded",
            gemm_gflops=_gemm_gflops(),
        ),
        speed=_speed(lm, done.steps[_warm_up(load) :]),
        warm_up_steps=_warm_up(load),
        seconds_to_first_step=round(done.first_done - started, 1),
        peak_gib=round(peak_gib, 3),
        slow_paths=lm.slow_paths(),
        problems=_busy(others),
    )


def _warm_up(load: BenchLoad) -> int:
    return min(_WARM_UP_STEPS, load.steps - 1)


def _settings(base: LocalBase, load: BenchLoad) -> TrainSettings:
    given = SFTSpec(
        max_steps=load.steps,
        batch_size=load.batch_size,
        max_length=load.max_length,
        on_overlong="drop",
        threads=load.threads,
    )
    return resolve_here(given, base)[0]


def _read(path: Path) -> Sequence[Row]:
    gathered = gather(DataSpec(sources=(SourceSpec(path=str(path)),)), Path)
    rows = rows_for("sft", gathered.train)
    refuse([*gathered.problems, *rows.problems])
    return rows.rows


def _own_rows(base: LocalBase, spec: TrainSettings, load: BenchLoad) -> _Rows:
    """Real rows of mixed length; where they cannot be had or do not do, random tokens of such lengths."""
    from finewright.train.bench import synthetic_rows

    try:
        with tempfile.TemporaryDirectory() as folder:
            build_set(DATA_SET, Path(folder))
            rows = _read(Path(folder) / "train.jsonl")
        return _encode_rows(base, spec, rows, load)
    except (FetchError, MissingExtra, ModelError, DataError) as error:
        why = Problem(level="info", message=f"the {DATA_SET} set is not used: {error}")
        report = BenchRows(
            source="random tokens of mixed lengths",
            counts=RowCounts(rows_in=load.rows, rows_kept=load.rows),
            problems=(why,),
        )
        return _Rows(synthetic_rows(load.rows, max_length=load.max_length), report)


def _encode_rows(
    base: LocalBase, spec: TrainSettings, rows: Sequence[Row], load: BenchLoad
) -> _Rows:
    """The first rows that are short enough, as many as the steps take; those passed over are counted.

    Raises DataError when there are too few."""
    from finewright.lm.load_chat import load_chat

    source = f"the {DATA_SET} set" if load.data is None else str(load.data)
    chat = load_chat(base)
    for looked_at in (load.rows, len(rows)):
        encoded = prepare_rows(base, spec, chat, MethodRows(list(rows[:looked_at]), [])).encoded
        refuse(encoded.problems)
        if len(encoded.rows) >= load.rows:
            counted = BenchRows(source=source, counts=encoded.counts)
            return _Rows(encoded.rows[: load.rows], counted)
    raise DataError(
        f"{source}: {len(encoded.rows)} of {len(rows)} rows have at most {load.max_length} tokens, and"
        f" {load.steps} steps of {load.batch_size} rows need {load.rows}",
        hint="lower --steps or --batch-size, or raise --max-length",
    )


def _train(lm: "LM", spec: TrainSettings, rows: Sequence["Example"], on_event: OnEvent) -> _Trained:
    from finewright.train.bench import trial_steps

    done: list[TrainStep] = []
    first_done = 0.0
    try:
        for step in trial_steps(lm, spec, rows):
            first_done = first_done or time.perf_counter()
            on_event("metric", {"steps": spec.max_steps, **asdict(step)})
            done.append(step)
    except FloatingPointError as error:
        raise StageError(f"training diverged: {error}") from None
    return _Trained(done, first_done)


def _speed(lm: "LM", steps: Sequence["TrainStep"]) -> BenchSpeed:
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
        useful_gflops=round(statistics.median(speeds) * flops / 1e9, 3),
    )


def _gemm_gflops() -> dict[str, float]:
    """By number format; emulated bfloat16 would take a minute and nobody trains in it."""
    from finewright.train.bench import gemm_gflops

    measured = {"fp32": gemm_gflops("fp32")}
    if runtime.fast_bf16():
        measured["bf16"] = gemm_gflops("bf16")
    return {name: round(gflops, 1) for name, gflops in measured.items()}


def _busy(others: float) -> tuple[Problem, ...]:
    if others <= _BUSY_CORES:
        return ()
    message = (
        f"other programs kept {others:.1f} cores busy at the start, and a quiet machine is faster"
    )
    hint = "stop them and repeat"
    return (Problem(level="warning", message=message, hint=hint),)
