"""What `bench` reports: how fast this machine trains a model, and how near that is to its own peak."""

from finewright.schema.common import Model, Problem, RowCounts
from finewright.schema.train_section import TrainSpec


class BenchRows(Model):
    """What was trained on: where the rows are from, and what became of those that were looked at."""

    source: str
    counts: RowCounts
    problems: tuple[Problem, ...] = ()


class BenchMachine(Model):
    """Where it ran, and how many of its cores other programs kept busy just before.

    `gemm_gflops` is what a square matrix product reaches here, by number format."""

    device: str
    cores_others_use: float
    kernels: str
    gemm_gflops: dict[str, float]


class BenchSpeed(Model):
    """The steps after warm-up; median, slowest and fastest are tokens a second of single steps.

    `useful_gflops` is the arithmetic that training needs (lm/flops.py) at the median speed."""

    steps: int
    tokens: int
    trained_tokens: int
    median: float
    slowest: float
    fastest: float
    flops_per_token: float
    useful_gflops: float


class BenchReport(Model):
    """Steps that were trained and thrown away; `train` are their settings.

    `seconds_to_first_step` is from the call to the end of the first step."""

    base_model: str
    parameters: int
    trainable_parameters: int
    train: TrainSpec
    rows: BenchRows
    machine: BenchMachine
    speed: BenchSpeed
    warm_up_steps: int
    seconds_to_first_step: float
    peak_gib: float
    slow_paths: tuple[str, ...]
    problems: tuple[Problem, ...]

    @property
    def peak_share(self) -> float:
        """Useful arithmetic a second as a share of the matrix product's in the same number format."""
        return self.speed.useful_gflops / self.machine.gemm_gflops[self.train.dtype]
