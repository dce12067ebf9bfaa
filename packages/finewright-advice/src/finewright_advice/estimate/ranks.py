"""finewright's own training in several processes, one for each GPU of a machine (`launch.processes`).

The rows of a step are shared, the gradients of what is trained are summed once an update, and nothing of
that is hidden behind computing. Of a base in shards (`launch.fsdp`) each process holds its part, two layers
and the words whole, and the rest as on one GPU; its layers go through the link twice a pass. Where all
weights learn in shards, masters and moments are in shards too, and a pass ends with the gradients of each
one's own. With n processes, of which b have rows in a step of T tokens, the longest row of S, and a link of L
bytes a second:

    tokens    T / b to T / b + (1 - 1 / b) S of the busiest process, as the longest row goes first to the one
              with the fewest tokens (Graham 1969, "Bounds on multiprocessing timing anomalies")
    seconds   those of one GPU for so many tokens + updates x 2 (n - 1) / n x 4 P / L
              + passes x (n - 1) / n x W / L

P numbers learn, W are twice the bytes of the layers and once those of the rest. What is reached of L is that
of `sharded`. No step of it was timed on a GPU."""

from dataclasses import replace
from typing import NamedTuple

from finewright.estimate.data_parallel import bytes_gathered, bytes_scattered, bytes_sent
from finewright.estimate.shape import ModelShape
from finewright.schema.catalog import GPU
from finewright.schema.cost import Range, TrainingWork
from finewright_advice.estimate.memory import MemoryLoad, MemoryUse, memory
from finewright_advice.estimate.money import product, total
from finewright_advice.estimate.rollouts import RolloutLoad, sampling_hours
from finewright_advice.estimate.sharded import LINK_SHARE, bytes_of_shard
from finewright_advice.estimate.time import hours_on, utilisation

_FLOAT32 = 4


class Processes(NamedTuple):
    """The processes of a run on one machine: how many, how many of them have rows in a step, the most tokens
    that go to one of them together, and whether they hold the base in shards."""

    size: int
    busy: int
    longest: int
    sharded: bool = False


def memory_of_rank(shape: ModelShape, load: MemoryLoad, size: int) -> MemoryUse:
    """What each of so many processes holds of a step over a base in shards, or with all weights in shards:
    then also its part of masters, moments and gradients, and the largest gathered group's gradients whole,
    in the weights' format and, on their way, in float32."""
    whole = memory(shape, load)
    found = whole._replace(weights=bytes_of_shard(shape, load, whole.weights, size))
    if not load.is_full:
        return found
    largest = max(shape.embedding, *(kind.parameters for kind in shape.layers))
    return found._replace(
        learned=whole.learned / size,
        gradients=whole.gradients / size + (load.number + _FLOAT32) * largest,
    )


def hours_of_ranks(
    shape: ModelShape,
    load: MemoryLoad,
    work: TrainingWork,
    sampling: RolloutLoad | None,
    gpu: GPU,
    ranks: Processes,
) -> Range:
    """Hours of steps by all processes together. Raises ValueError for a GPU whose link nobody wrote down."""
    if gpu.link_gb_s is None:
        raise ValueError(f"{gpu.name} has no link to others")
    parts = max(float(work.steps), work.parts / ranks.busy)
    share = work.model_copy(update={"tokens": _busiest(work, ranks), "parts": parts})
    hours = hours_on(gpu, utilisation(shape, load, gpu), share, shape.num_layers)
    if sampling is not None:
        prompts = max(1.0, sampling.prompts / ranks.busy)
        hours = total(hours, sampling_hours(shape, replace(sampling, prompts=prompts), gpu))
    learned = shape.trainable(load.adapter)
    sent = work.steps * bytes_sent(learned, ranks.size)
    if ranks.sharded and load.is_full:
        sent = parts * bytes_scattered(learned, ranks.size)
    if ranks.sharded:
        layers = load.number * sum(kind.count * kind.parameters for kind in shape.layers)
        sent += parts * bytes_gathered(layers, load.number * shape.parameters - layers, ranks.size)
    at_best = sent / (gpu.link_gb_s * 1e9) / 3600
    low, median, high = (
        at_best / each for each in (LINK_SHARE.high, LINK_SHARE.median, LINK_SHARE.low)
    )
    return total(hours, Range(low=low, median=median, high=high))


def _busiest(work: TrainingWork, ranks: Processes) -> Range:
    """Tokens of all steps that the process with the most of each step computes."""
    even = product(work.tokens, 1 / ranks.busy)
    uneven = (1 - 1 / ranks.busy) * ranks.longest * work.steps
    return Range(
        low=even.low,
        median=min(work.tokens.median, even.median + uneven / 2),
        high=min(work.tokens.high, even.high + uneven),
    )
