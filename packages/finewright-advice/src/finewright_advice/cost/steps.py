"""The run's own step for `cost`: on tensors without numbers, or for real and thrown away."""

import random
import time
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from finewright.errors import ModelError, StageError
from finewright.schema.cost import Range
from finewright.schema.methods import OnlineSettings, SFTSpec
from finewright.schema.train import Takes, TrainSettings
from finewright.workbench.prepare import resolve_here
from finewright_advice.cost.job import TrainingJob
from finewright_advice.cost.model import Described
from finewright_advice.estimate.memory import MemoryLoad
from finewright_advice.estimate.time import speed_of_steps

if TYPE_CHECKING:
    from finewright.lm.example import Example
    from finewright.lm.model import LM

# Any: a transformers model, whose package is not imported here.
Model = Any
SECONDS = 10.0
_STEPS = 1000
_WARM_UP_STEPS = 2
_MOST_ROWS = 400


class MeasuredSteps(NamedTuple):
    """Peaks in bytes of the largest micro-batch, and tokens a second of the run's own rows."""

    tensors: int
    process: int
    speed: Range


def trace_bytes(job: TrainingJob, folder: Path, *, gpu: bool, number: int) -> int:
    """The most that the tensors of a step hold, by a trace of the step itself.

    Methods that sample answers are traced as they learn from answers that are there, by SFT's loss, and so
    are heads over labels, which take less."""
    from finewright.train.bench import trial_steps
    from finewright_advice.lm.trace import config_in, trace

    load = job.load(gpu=gpu, number=number)
    spec = _for_steps(job.train, load)
    rows = largest_rows(job, load)

    def work(model: Model) -> Iterator[object]:
        lm = _prepare_model(model, spec)
        yield None  # ready
        yield from trial_steps(lm, spec, rows)

    return trace(
        config_in(folder),
        work,
        dtype="bf16" if load.rounds else "fp32",
        target="gpu" if gpu else "cpu",
    ).peak


def measure_here(job: TrainingJob, described: Described) -> MeasuredSteps:
    """Two steps of the largest micro-batch, then about ten seconds of steps as the run will take them.

    Raises ModelError where the weights are not here, and StageError where memory does not suffice."""
    from finewright.lm import runtime
    from finewright.train.bench import trial_steps
    from finewright.train.load import load_for_training
    from finewright_advice.lm.microsteps import micro_steps

    if not any(described.folder.glob("*.safetensors")):
        raise ModelError(
            f"{described.folder}: there are no weights here, and real steps need them",
            hint="leave --calibrate out; --trace needs none",
        )
    assert described.base is not None  # it has a folder
    gpu = runtime.device().type == "cuda"
    own, _ = resolve_here(job.train, described.base)
    load = job.load(gpu=gpu, number=2 if own.dtype == "bf16" else 4)
    spec = _for_steps(own, load)
    lm = load_for_training(described.base, spec)
    micro = micro_steps(lm, lambda: trial_steps(lm, spec, largest_rows(job, load)))
    if micro.failed:
        raise StageError(f"two steps do not fit into memory: {micro.failed}", hint="see the fix")
    return MeasuredSteps(micro.tensors, micro.process, _speed(lm, spec, usual_rows(job)))


def _for_steps(spec: TrainSettings, load: MemoryLoad) -> TrainSettings:
    """The settings for a few steps; whatever decides the learning alone is fixed."""
    fixed = {
        "learning_rate": spec.learning_rate or 1e-5,
        "max_steps": _STEPS,
        "micro_batch_tokens": spec.micro_batch_tokens or load.tokens,
        "dtype": "bf16" if load.rounds else "fp32",
    }
    if isinstance(spec, OnlineSettings) or not spec.writes_text:
        common = {k: v for k, v in spec if k in SFTSpec.model_fields and k != "method"}
        return SFTSpec.model_validate({**common, **fixed})
    return spec.model_copy(update=fixed)


def largest_rows(job: TrainingJob, load: MemoryLoad) -> list["Example"]:
    """Rows that fill the largest micro-batch, for all the steps that are looked at."""
    each = min(load.longest, load.tokens)
    count = max(1, load.tokens // each)
    lengths = [each] * count
    lengths[-1] += min(load.tokens - each * count, 0)
    rng = random.Random(0)  # noqa: S311 - not a secret
    share = load.learned / load.tokens
    return [
        _make_example(job.train.takes, length, share, number, rng)
        for number, length in enumerate(lengths)
    ]


def usual_rows(job: TrainingJob) -> list["Example"]:
    """Rows of the run's mean length and of its spread, of random tokens: speed depends on shapes alone."""
    rows, rng = job.rows, random.Random(0)  # noqa: S311 - not a secret
    spread = min(1.0, (rows.longest / rows.mean - 1) / 2) if rows.mean else 0.0
    lengths = [
        max(4, round(rows.mean * (1 + spread * rng.uniform(-1, 1)))) for _ in range(_MOST_ROWS)
    ]
    return [
        _make_example(job.train.takes, length, rows.learned_share, number, rng)
        for number, length in enumerate(lengths)
    ]


def _make_example(
    takes: Takes, length: int, share: float, number: int, rng: random.Random
) -> "Example":
    from finewright.lm.example import EncodedRow, Example

    sides = 2 if takes == "pairs" else 1
    each = max(4, length // sides)
    prompt = min(each - 2, max(1, round((1 - share) * each)))
    prompt_ids = tuple(rng.choices(range(256), k=prompt))
    answers = [tuple(rng.choices(range(256), k=each - prompt)) for _ in range(sides)]
    trained = (False,) * prompt + (True,) * (each - prompt)
    sequences = tuple(
        EncodedRow((*prompt_ids, *answer), trained, str(number)) for answer in answers
    )
    return Example(sequences, label=bool(number % 2) if takes == "judged answers" else None)


def _prepare_model(model: Model, spec: TrainSettings) -> "LM":
    from finewright.lm.adapters.kinds import add_adapter
    from finewright.lm.model import LM
    from finewright_advice.lm.trace import packs_end_to_end

    lm = LM(model, add_adapter(model, spec.adapter, seed=spec.seed))
    lm.packs_exactly = lm.packs_exactly and packs_end_to_end(model)
    if spec.memory == "lean":
        lm.recompute()
    return lm


def _speed(lm: "LM", spec: TrainSettings, rows: Sequence["Example"]) -> Range:
    from finewright.train.bench import trial_steps

    steps = trial_steps(lm, spec, rows)
    for _ in islice(steps, _WARM_UP_STEPS):
        pass
    tokens, seconds, started = [], [], time.perf_counter()
    for step in steps:
        tokens.append(step.tokens)
        seconds.append(step.seconds)
        if time.perf_counter() - started >= SECONDS:
            break
    return speed_of_steps(tokens, seconds)
