"""A model of labels in this process behind the gateway."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, NamedTuple

from finewright.compare.decider import drift_of
from finewright.schema.decisions import Calibration, Decision, DriftTest
from finewright.schema.rows import Row
from finewright_serve.gateway.errors import ApiError
from finewright_serve.gateway.question import AnswerPiece, GatewayQuestion, ServedModel, TextVectors

if TYPE_CHECKING:
    from finewright.labels.decider import Decider

_LOG = logging.getLogger(__name__)
_WINDOW = 500
"""Decisions that one test for drift is of: a shift of 10 points in a tenth of the answers shows."""


class DecidedTexts(NamedTuple):
    """A decision for each text, what calibrated them, and the test of the last whole window of answers; None
    before there was one."""

    decisions: Sequence[Decision]
    calibration: Calibration
    drift: DriftTest | None


class DeciderEngine:
    """Texts get labels of the training rows, and nothing else. An alarm for drift looks at window after
    window of the confidences, none of them twice."""

    at_once = 1

    def __init__(self, served: ServedModel, decider: "Decider") -> None:
        self._served, self._decider = served, decider
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="decider")
        self._seen: list[float] = []
        self._drift: DriftTest | None = None

    def models(self) -> Sequence[ServedModel]:
        """The one."""
        return [self._served]

    async def is_ready(self) -> bool:
        """Always, once it is loaded."""
        return True

    async def close(self) -> None:
        """End its thread."""
        self._worker.shutdown(wait=False, cancel_futures=True)

    async def answer(self, question: GatewayQuestion) -> AsyncGenerator[AnswerPiece, None]:
        """Models of labels write no text."""
        what = (
            f"the model {question.model!r} decides and writes no text: POST /v1/decisions asks it"
        )
        raise ApiError(what, param="model")
        yield AnswerPiece()

    async def embed(self, model: str, texts: Sequence[str]) -> TextVectors:
        """Nor do they give vectors."""
        what = f"the model {model!r} decides and gives no vectors: POST /v1/decisions asks it"
        raise ApiError(what, param="model")

    async def decide(self, texts: Sequence[str]) -> DecidedTexts:
        """A decision for each text."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._worker, self._decided, list(texts))

    def _decided(self, texts: Sequence[str]) -> DecidedTexts:
        rows = [
            Row("", ({"role": "user", "content": text},), tools=None, file="", row=i)
            for i, text in enumerate(texts, 1)
        ]
        decisions = self._decider.decide(rows)
        self._watch([decision.watched for decision in decisions])
        return DecidedTexts(decisions, self._decider.calibration, self._drift)

    def _watch(self, confidences: Sequence[float]) -> None:
        self._seen += confidences
        while len(self._seen) >= _WINDOW:
            window, self._seen = self._seen[:_WINDOW], self._seen[_WINDOW:]
            self._drift = drift_of(window, self._decider.calibration)
            if self._drift and self._drift.alarm:
                _LOG.warning("%s: %s", self._served.id, self._drift.line())
