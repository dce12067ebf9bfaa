"""A job in finewright's own processes, one for each GPU of a machine: how many pay, and what they hold."""

from collections.abc import Mapping
from typing import NamedTuple

from finewright.schema.catalog import GPU
from finewright.schema.cost import MemoryEstimate, Range, SharedWork
from finewright.schema.launch import LaunchSpec
from finewright.train.support import find_unshared
from finewright_advice.cost.job import TrainingJob
from finewright_advice.cost.needs import estimate_rank, load_of_rank
from finewright_advice.estimate.ranks import Processes, hours_of_ranks

_PAYS = 0.5
"""A GPU that adds less than half of the first one's speed is paid over twice for what it saves."""


class InShards(NamedTuple):
    """What each process holds of a base in shards, and how long all take."""

    needs: MemoryEstimate
    hours: Range


def in_ranks(job: TrainingJob, gpu: GPU, number: int, count: int) -> dict[int, Range]:
    """Number of processes -> hours, for 2, 4, 8 ... and all GPUs of a machine; none where only one trains it,
    or a step has no rows for two."""
    sizes = sorted({size for power in range(1, 7) if (size := 2**power) < count} | {count})
    rows = _rows_of_step(job)
    return {
        size: _hours(job, gpu, number, Processes(size, min(size, rows), job.longest_part))
        for size in sizes
        if rows > 1 and _may_launch(job, LaunchSpec(processes=size))
    }


def in_shards(job: TrainingJob, gpu: GPU, number: int, count: int) -> InShards | None:
    """Over all GPUs of a machine; None where finewright does not train it so."""
    if not _may_launch(job, LaunchSpec(processes=count, fsdp=True)):
        return None
    ranks = Processes(count, min(count, _rows_of_step(job)), job.longest_part, sharded=True)
    needs = estimate_rank(job, load_of_rank(job, count, number), count)
    return InShards(needs, _hours(job, gpu, number, ranks))


def share_work(job: TrainingJob, gpu: GPU, number: int, alone: Range, count: int = 8) -> SharedWork:
    """How many times as fast as one GPU, which takes so long, several are."""
    found = in_ranks(job, gpu, number, count)
    speeds = {size: alone.median / hours.median for size, hours in found.items()}
    return SharedWork(gpu=gpu.name, speeds=speeds, pays=_most_that_pay(speeds))


def _most_that_pay(speeds: Mapping[int, float]) -> int:
    """The largest number of GPUs up to which each that is added brings half of the first one's speed."""
    most, speed = 1, 1.0
    for size in sorted(speeds):
        if speeds[size] - speed < _PAYS * (size - most):
            break
        most, speed = size, speeds[size]
    return most


def _hours(job: TrainingJob, gpu: GPU, number: int, ranks: Processes) -> Range:
    load = load_of_rank(job, ranks.size, number)
    return hours_of_ranks(job.shape, load, job.work(load), job.sampling(load), gpu, ranks)


def _rows_of_step(job: TrainingJob) -> int:
    """Rows that processes share in a step."""
    train = job.train
    if train.batch_tokens is not None:
        return max(1, round(train.batch_tokens / max(1.0, job.rows.mean)))
    return train.batch_size * train.gradient_accumulation


def _may_launch(job: TrainingJob, launch: LaunchSpec) -> bool:
    return not any(problem.level == "error" for problem in find_unshared(job.train, launch))
