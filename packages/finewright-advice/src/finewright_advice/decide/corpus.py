"""What documents cost by their volume and their kind: reading in, embedding, keeping, searching.

A few million tokens are embedded overnight on any machine and held in one file, for nothing. Beyond, an
embedding is paid by the token, text and vectors by the GiB a month, and the vectors that a search walks by
the memory that holds them, a byte for each of their numbers. A search over HNSW grows with the logarithm of
the passages (Malkov and Yashunin 2018, arXiv:1603.09320)."""

import math
from collections.abc import Mapping
from typing import NamedTuple

from finewright.report.cells import number
from finewright.schema.cost import Range
from finewright_advice.decide.arms import NOTHING
from finewright_advice.estimate.money import product, total

_PASSAGE_TOKENS = 400
_TOKENS_A_PAGE = 500
_BYTES_A_TOKEN = 4
_NUMBERS = 384
_GRAPH = 1.5
"""Bytes of vectors with their graph over those without."""
_GIB = 1024**3
_FREE_TOKENS = 100e6
"""Embedded by MiniLM in about 15 hours of two cores: 2 x 22 million x 10^8 FLOP at 80 GFLOP/s."""
_FREE_GIB = 8.0
"""Of memory and of disk that the application's own machine has anyway."""
_READ_TOKENS = 1e6
"""What is read in within the hours that an index takes anyway."""
_MEASURED_PASSAGES = 4270
"""How many the measured milliseconds of a search were over."""


class IndexCost(NamedTuple):
    """What an index of the documents takes."""

    once_usd: Range
    month_usd: Range
    search_ms: Range
    hours: Range
    how: str


NO_INDEX = IndexCost(NOTHING, NOTHING, NOTHING, NOTHING, "")


def cost_of_index(
    tokens: float, kind: str, taken: Mapping[str, Range], usd_per_gib_month: Range
) -> IndexCost:
    """An index over so many tokens of text, tables or scans."""
    passages = max(1.0, tokens / _PASSAGE_TOKENS)
    text_gib = tokens * _BYTES_A_TOKEN / _GIB
    vectors_gib = passages * _NUMBERS * _BYTES_A_TOKEN * _GRAPH / _GIB
    walked_gib = passages * _NUMBERS * _GRAPH / _GIB
    disk, memory = (max(0.0, gib - _FREE_GIB) for gib in (text_gib + vectors_gib, walked_gib))
    embedding = NOTHING
    if tokens > _FREE_TOKENS:
        embedding = product(taken["embedding_usd_per_million"], tokens / 1e6)
    reading = NOTHING
    if kind == "scans":
        reading = product(taken["ocr_usd_per_thousand"], tokens / _TOKENS_A_PAGE / 1000)
    growth = max(1.0, math.log(passages) / math.log(_MEASURED_PASSAGES))
    tenfolds = max(0.0, math.log10(max(1.0, tokens) / _READ_TOKENS))
    hours = product(taken["text_hours"], tenfolds)
    if kind != "text":
        hours = total(hours, taken[f"{kind}_hours"])
    return IndexCost(
        once_usd=total(embedding, reading),
        month_usd=total(
            product(usd_per_gib_month, disk), product(taken["memory_usd_per_gib"], memory)
        ),
        search_ms=product(taken["retrieval_ms"], growth),
        hours=hours,
        how=f"an index of {passages:,.0f} passages, {number(text_gib + vectors_gib)} GiB on disk and"
        f" {number(walked_gib)} GiB in memory",
    )
