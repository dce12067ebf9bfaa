"""How long one request takes, asked alone, as people ask: the search, the first token, the whole answer."""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from finewright.evaluate.answers import HeldOutQuestion
from finewright.lm.chat import Chat
from finewright.lm.generate import Sampling, stream
from finewright.lm.model import LM
from finewright_advice.schema.bakeoff_report import Speed
from finewright_advice.schema.measure_report import Latency

Clock = Callable[[], float]
"""Seconds, from any beginning."""

Prepare = Callable[[], HeldOutQuestion]
"""What comes before the model: the search for passages, the prompt, its tokens."""


class Timing(NamedTuple):
    """Milliseconds of one request, each from its beginning, and how many tokens its answer has."""

    prepared: float
    first_token: float
    whole: float
    tokens: int


def time_requests(
    lm: LM, chat: Chat, requests: Sequence[Prepare], *, max_new_tokens: int, clock: Clock
) -> Iterator[Timing]:
    """Answer each request greedily by itself, and say how long it took; the first is asked once before,
    untimed. Loading the model is not in it."""
    lm.model.eval()
    for number, prepare in enumerate((requests[0], *requests)):
        found = _time_request(lm, chat, prepare, max_new_tokens, clock)
        if number:
            yield found


def _time_request(
    lm: LM, chat: Chat, prepare: Prepare, max_new_tokens: int, clock: Clock
) -> Timing:
    """An answer without a token has its first token at its end."""
    start = clock()
    question = prepare()
    prepared = clock()
    first, tokens = 0.0, 0
    sampling = Sampling(max_new_tokens=max_new_tokens)
    for _ in stream(lm, question.prompt_ids, stop_ids=chat.stop_ids, sampling=sampling):
        first = first or clock()
        tokens += 1
    end = clock()
    ready, begun, done = (1000 * (at - start) for at in (prepared, first or end, end))
    return Timing(ready, begun, done, tokens)


def latency_of(timings: Sequence[Timing], *, searches: bool) -> Latency:
    """The percentiles of some requests, by linear interpolation between them; what was prepared counts as the
    search."""
    import numpy as np

    prepared, first, whole, _ = np.array(timings, dtype=np.float64).T
    return Latency(
        n=len(timings),
        ttft_p50=float(np.median(first)),
        p50=float(np.median(whole)),
        p95=float(np.percentile(whole, 95)),
        mean=float(whole.mean()),
        search_p50=float(np.median(prepared)) if searches else 0.0,
    )


def speed_of(timings: Sequence[Timing], *, cores_others_used: float = 0.0) -> Speed:
    """The same percentiles, every time by itself, and the speed after the first token of all answers
    together; beside them how busy others kept the machine."""
    import numpy as np

    _, first, whole, tokens = np.array(timings, dtype=np.float64).T
    later = float(np.maximum(tokens - 1, 0).sum())
    return Speed(
        answers=len(timings),
        first_token_ms_p50=float(np.median(first)),
        first_token_ms_p95=float(np.percentile(first, 95)),
        answer_ms_p50=float(np.median(whole)),
        answer_ms_p95=float(np.percentile(whole, 95)),
        answer_ms_mean=float(whole.mean()),
        answer_ms=tuple(round(float(each), 1) for each in whole),
        tokens_per_answer=float(tokens.mean()),
        tokens_per_second=1000 * later / float((whole - first).sum()) if later else 0.0,
        cores_others_used=cores_others_used,
    )
