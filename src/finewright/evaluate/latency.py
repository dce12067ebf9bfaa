"""How long one request takes, asked alone: the search, the first token, the whole answer."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from finewright.evaluate.answers import question_of
from finewright.evaluate.measure import Subject
from finewright.lm.generate import Sampling, stream
from finewright.schema.measure_report import Latency
from finewright.schema.rows import Row

Clock = Callable[[], float]
"""Seconds, from any beginning."""


class Timing(NamedTuple):
    """Milliseconds of one request, each from its beginning."""

    search: float
    first_token: float
    whole: float


def timed(
    subject: Subject, row: Row, prepare: Callable[[Row], Row], max_new_tokens: int, clock: Clock
) -> Timing:
    """One request through the engine that all arms share: `prepare` searches and writes the prompt.

    An answer without a token has its first token at its end."""
    start = clock()
    prepared = prepare(row)
    searched = clock()
    question = question_of(subject.chat, prepared)
    sampling = Sampling(max_new_tokens=max_new_tokens)
    first = 0.0
    answer = stream(
        subject.lm, question.prompt_ids, stop_ids=subject.chat.stop_ids, sampling=sampling
    )
    for _ in answer:
        first = first or clock()
    end = clock()
    return Timing(*(1000 * (at - start) for at in (searched, first or end, end)))


def summed_up(timings: Sequence[Timing], *, searches: bool) -> Latency:
    """The percentiles of some requests, by linear interpolation between them."""
    import numpy as np

    search, first, whole = np.array(timings, dtype=np.float64).T
    return Latency(
        n=len(timings),
        ttft_p50=float(np.median(first)),
        p50=float(np.median(whole)),
        p95=float(np.percentile(whole, 95)),
        mean=float(whole.mean()),
        search_p50=float(np.median(search)) if searches else 0.0,
    )
