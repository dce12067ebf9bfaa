"""One request by the clock: the search, the first token, the end."""

from itertools import count

import pytest

import tiny
from finewright.evaluate.latency import Timing, summed_up, timed
from finewright.evaluate.measure import Subject
from finewright.lm.model import LM
from finewright.schema.rows import Row

pytestmark = pytest.mark.torch

ROW = Row(
    "r", ({"role": "user", "content": "Q"}, {"role": "assistant", "content": "A"}), None, "f", 1
)


def test_each_time_is_from_the_beginning_of_the_request() -> None:
    subject = Subject("rag", LM(tiny.tiny_model("llama"), {}), tiny.tiny_chat())
    prepared: list[Row] = []

    def prepare(row: Row) -> Row:
        prepared.append(row)
        return row

    ticks = count()
    found = timed(subject, ROW, prepare, 4, lambda: float(next(ticks)))
    assert prepared == [ROW]
    # The clock is read at the start, after the search, at the first token and at the end.
    assert found == Timing(1000.0, 2000.0, 3000.0)


def test_percentiles_lie_between_the_requests() -> None:
    found = summed_up([Timing(1, 10, 100), Timing(3, 30, 300), Timing(2, 20, 200)], searches=True)
    assert (found.n, found.search_p50, found.ttft_p50, found.p50) == (3, 2, 20, 200)
    assert (found.p95, found.mean) == (pytest.approx(290), 200)
    assert summed_up([Timing(1, 10, 100)], searches=False).search_p50 == 0
