"""One request as an arm makes it: its tokens, and what it costs and takes at an API."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from finewright.schema.catalog import API
from finewright.schema.cost import Range
from finewright_advice.decide.arms import Arm
from finewright_advice.decide.case import Case
from finewright_advice.estimate.money import DAYS_A_MONTH, api_request, product, total

_MINUTES_A_MONTH = DAYS_A_MONTH * 24 * 60
_P95 = 0.95
_DAY_MS = 24 * 3600 * 1000.0


@dataclass(frozen=True, slots=True)
class RequestShape:
    """The requests of a case, with what is taken for granted and what a search takes."""

    case: Case
    taken: Mapping[str, Range]
    search_ms: Range

    def prompt(self, arm: Arm) -> float:
        """Tokens of a prompt that differ from request to request."""
        added = self.case.at("retrieved", self.taken["retrieved_tokens"])
        return self.case.prompt_tokens + (added if arm.is_searched else 0.0)

    def tokens(self, arm: Arm) -> float:
        """Tokens that the context must hold at once."""
        documents = self.case.corpus_tokens if arm.method == "prompt+long-context" else 0.0
        return documents + self.prompt(arm) + self.case.tokens_out

    def at_api(self, api: API, arm: Arm, *, in_batches: bool) -> Range:
        """What a request costs at an API; of a long prompt the documents are mostly read from its cache."""
        return product(self._at_once(api, arm), (api.batch_share or 1.0) if in_batches else 1.0)

    @property
    def may_wait(self) -> bool:
        """Whether answers may come within a day, as those of a batch do."""
        return "latency_p95_ms" in self.case.stated and self.case.latency_p95_ms.limit >= _DAY_MS

    def _at_once(self, api: API, arm: Arm) -> Range:
        case = self.case
        if arm.method != "prompt+long-context":
            return api_request(api, self.prompt(arm), case.tokens_out)
        minutes = self.taken["cache_minutes"]
        whole = case.corpus_tokens + case.prompt_tokens

        def at(point: float) -> Range:
            cached = case.corpus_tokens * self.cached_share(point)
            return api_request(api, whole, case.tokens_out, cached)

        return Range(
            low=at(minutes.high).low, median=at(minutes.median).median, high=at(minutes.low).high
        )

    def cached_share(self, minutes: float) -> float:
        """The chance that another request came within the cache's time: 1 - exp(-rate x minutes)."""
        return 1 - math.exp(-self.case.requests_per_month / _MINUTES_A_MONTH * minutes)

    def api_ms(self, arm: Arm, api: API, *, in_batches: bool) -> Range:
        """How long an API takes to read the prompt and to write the last token, of 95 in 100.

        Documents in the prompt are read anew, unless 95 in 100 requests find them in the cache; a batch takes
        up to a day."""
        if in_batches:
            return Range(low=3600 * 1000.0, median=_DAY_MS, high=_DAY_MS)
        first, speed = self.taken["api_first_token_ms"], self.taken["api_tokens_per_second"]
        reading, minutes = self.taken["api_read_tokens_per_second"], self.taken["cache_minutes"]
        out = 1000 * self.case.tokens_out

        def read(kept: float, tokens_per_second: float) -> float:
            is_long = arm.method == "prompt+long-context" and self.cached_share(kept) < _P95
            documents = self.case.corpus_tokens if is_long else 0.0
            return 1000 * (self.prompt(arm) + documents) / tokens_per_second

        answer = Range(
            low=first.low + read(minutes.high, reading.high) + out / speed.high,
            median=first.median + read(minutes.median, reading.median) + out / speed.median,
            high=first.high + read(minutes.low, reading.low) + out / speed.low,
        )
        return total(answer, self.search_ms) if arm.is_searched else answer
