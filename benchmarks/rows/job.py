"""What the rows share: the job they read and the figures they print. Runs in every peer's Python."""

import json
import random
import sys
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

IGNORED = -100


class Row(NamedTuple):
    """Tokens, and for each whether it is learned."""

    input_ids: list[int]
    completion_mask: list[int]

    @property
    def labels(self) -> list[int]:
        """The tokens, with those that are not learned masked as transformers wants it."""
        pairs = zip(self.input_ids, self.completion_mask, strict=True)
        return [token if learned else IGNORED for token, learned in pairs]


class Job(NamedTuple):
    """What a row trains, in order; `warm_up` batches at the start are trained and not timed."""

    model: str
    model_name: str
    batches: list[list[Row]]
    warm_up: int
    max_length: int
    learning_rate: float
    scratch: str

    @property
    def rows(self) -> list[Row]:
        """All rows in the order of training."""
        return [row for batch in self.batches for row in batch]

    @property
    def batch_size(self) -> int:
        """Rows of a batch."""
        return len(self.batches[0])


def read_job() -> tuple[Job, dict[str, Any]]:
    """The job and the row's own settings, as train_speed.py names them on the command line."""
    told = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    settings = json.loads(sys.argv[2])
    rows = [Row(**row) for row in told.pop("rows")]
    size = told.pop("batch_size")
    if settings.pop("by_length", False):
        rows = _by_length(rows, size, told["warm_up"])
    batches = [rows[start : start + size] for start in range(0, len(rows), size)]
    return Job(batches=batches, **told), settings


def _by_length(rows: Sequence[Row], size: int, warm_up: int) -> list[Row]:
    """Rows of like length in one batch, the batches in an order of chance; warm-up stays as it was."""
    first, rest = list(rows[: warm_up * size]), list(rows[warm_up * size :])
    rest.sort(key=lambda row: len(row.input_ids))
    batches = [rest[start : start + size] for start in range(0, len(rest), size)]
    random.Random(0).shuffle(batches)  # noqa: S311 - not a secret
    return [*first, *(row for batch in batches for row in batch)]


def print_figures(
    job: Job,
    seconds: Sequence[float],
    losses: Sequence[float],
    packages: Sequence[str],
    more: Mapping[str, float] | None = None,
) -> None:
    """The last line of a row's output: real tokens a second after warm-up, peak memory, losses, and more."""
    tokens = [sum(len(row.input_ids) for row in batch) for batch in job.batches]
    assert len(seconds) == len(losses) == len(tokens)
    figures = {
        "tokens_per_second": sum(tokens[job.warm_up :]) / sum(seconds[job.warm_up :]),
        "peak_gib": peak_gib(),
        "losses": list(losses),
        "seconds": list(seconds),
        "tokens": tokens,
        "versions": {name: version(name) for name in packages},
        **(more or {}),
    }
    print("\n" + json.dumps(figures))


def peak_gib() -> float:
    """What the device's allocator held at most, or without one the largest resident set of this process
    alone: `ru_maxrss` would begin with the caller's."""
    import torch  # late: a row sets the environment of its import first

    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated() / 2**30
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    line = next(line for line in status.splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 2**20
