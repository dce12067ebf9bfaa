"""How fast a machine answers: prompts are bound by arithmetic, answers by bytes and arithmetic (a roofline).

A prompt takes its FLOPs at the speed that is reached. A step writes one token for each of b requests: it
reads the weights once and every request's cache, and multiplies for each request. With continuous batching a
machine that always works on b requests finishes b / (b x prompt + tokens x step(b)) of them a second.

Waiting is that of a single server with a constant time (M/D/1) for prompts; the requests in flight vary as a
Poisson count does. Compared with published figures in `docs/cost.md`."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

BUSY = 0.8
"""The share of what a machine can finish that it is given in the busiest hour, so that queues stay short."""
_P95 = 1.645
_LATE = 0.05
_FULL = 0.98
_HALVINGS = 40


@dataclass(frozen=True, slots=True)
class RequestWork:
    """What one kind of request asks: FLOPs of its prompt, and of a step FLOPs and bytes of cache for each
    request, bytes of weights for a number of requests; and the steps."""

    prompt_flops: float
    step_flops: float
    cache_bytes: float
    weight_bytes: Callable[[float], float]
    out_tokens: float


class Speeds(NamedTuple):
    """FLOPs and bytes a second that a machine reaches, not its peaks."""

    flops: float
    bandwidth: float


class AnswerTime(NamedTuple):
    """Seconds from question to last token: of half of the requests at most, and of 95 in 100."""

    p50: float
    p95: float


def prompt_seconds(work: RequestWork, speeds: Speeds) -> float:
    """Reading a prompt, nothing else going on."""
    return work.prompt_flops / speeds.flops


def step_seconds(work: RequestWork, speeds: Speeds, batch: float) -> float:
    """A token for each of so many requests."""
    read = work.weight_bytes(batch) + batch * work.cache_bytes
    return read / speeds.bandwidth + batch * work.step_flops / speeds.flops


def requests_per_second(work: RequestWork, speeds: Speeds, batch: float) -> float:
    """What a machine finishes that has so many requests in flight on average."""
    writing = work.out_tokens * step_seconds(work, speeds, max(1.0, batch))
    return batch / (batch * prompt_seconds(work, speeds) + writing)


def requests_in_flight(work: RequestWork, speeds: Speeds, rate: float, most: float) -> float:
    """How many are in flight at this rate of requests a second; `most` where the rate is too much."""
    low, high = 0.0, most
    if requests_per_second(work, speeds, most) <= rate:
        return most
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if requests_per_second(work, speeds, middle) < rate:
            low = middle
        else:
            high = middle
    return high


def answer_time(work: RequestWork, speeds: Speeds, rate: float, most: float) -> AnswerTime:
    """At this rate of requests a second; one above what the machine can finish is taken for nearly that."""
    rate = min(rate, _FULL * requests_per_second(work, speeds, most))
    reading = prompt_seconds(work, speeds)
    share = rate * reading
    batch = requests_in_flight(work, speeds, rate, most)
    waiting = reading / (2 * (1 - share))
    late = waiting * max(0.0, math.log(share / _LATE)) if share else 0.0

    def writing(requests: float) -> float:
        crowd = min(most, max(1.0, requests))
        return work.out_tokens * step_seconds(work, speeds, crowd) / (1 - share)

    return AnswerTime(
        p50=reading + share * waiting + writing(batch),
        p95=reading + max(share * waiting, late) + writing(batch + _P95 * math.sqrt(batch)),
    )
