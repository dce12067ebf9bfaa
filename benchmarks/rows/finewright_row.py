"""finewright's own engine, at the defaults that a user gets, but for what the job fixes."""

from pathlib import Path

from job import Job, Row, print_figures, read_job

from finewright.lm.runtime import share_cores

share_cores()  # as the command line does, before torch is imported

from finewright.lm.example import EncodedRow, Example  # noqa: E402
from finewright.lm.flops import flops_per_token  # noqa: E402
from finewright.lm.sources import LocalBase  # noqa: E402
from finewright.schema.methods import SFTSpec  # noqa: E402
from finewright.schema.train import TrainSettings  # noqa: E402
from finewright.train.bench import gemm_gflops, trial_steps  # noqa: E402
from finewright.train.load import load_for_training  # noqa: E402
from finewright.train.schedule import schedule_of  # noqa: E402
from finewright.workbench.prepare import resolve_here  # noqa: E402


def in_order(job: Job, spec: TrainSettings) -> list[Example]:
    """The rows where finewright's shuffle finds the job's batches."""
    schedule = schedule_of(spec, [len(row.input_ids) for row in job.rows])
    numbers = [i for step in range(schedule.steps) for b in schedule.batches_of(step) for i in b]
    placed = dict(zip(numbers, map(encoded, job.rows), strict=True))
    return [placed[number] for number in range(len(placed))]


def encoded(row: Row) -> Example:
    return Example((EncodedRow(tuple(row.input_ids), tuple(map(bool, row.completion_mask))),))


job, settings = read_job()
base = LocalBase(job.model_name, Path(job.model), "", "unknown")
fixed = SFTSpec(
    learning_rate=job.learning_rate,
    lr_scheduler="constant",
    warmup_ratio=0.0,
    batch_size=job.batch_size,
    max_steps=len(job.batches),
    **settings,
)
spec, _ = resolve_here(fixed, base)
lm = load_for_training(base, spec)
done = list(trial_steps(lm, spec, in_order(job, spec)))
learned = sum(s.trained_tokens for s in done) / sum(s.tokens for s in done)
assert spec.dtype != "auto"
print_figures(
    job,
    [s.seconds for s in done],
    [s.loss for s in done],
    ("finewright", "torch", "transformers"),
    # as `finewright bench` has its share of the machine's peak
    {"flops_per_token": flops_per_token(lm, learned), "gemm_gflops": gemm_gflops(spec.dtype)},
)
