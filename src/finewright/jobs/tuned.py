"""What jobs made, behind the gateway: served from the moment that a job succeeds, and after every restart.

Listing reads states alone. A model is loaded when it is first asked, and only the last few stay loaded."""

import asyncio
import logging
from collections import OrderedDict
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import ClassVar

from finewright.errors import FinewrightError
from finewright.gateway.errors import ApiError
from finewright.gateway.native import NativeEngine, NativeModel
from finewright.gateway.question import AnswerPiece, GatewayQuestion, ServedModel, TextVectors
from finewright.jobs.folder import JobFolder
from finewright.jobs.job import JobState, TuningJob
from finewright.workbench.systems import load_talker

_LOG = logging.getLogger(__name__)


@dataclass(slots=True, eq=False)
class TunedModels:
    """A ModelEngine of the results of jobs; at most `most_loaded` hold their weights in memory."""

    at_once: ClassVar[int] = 1
    folder: JobFolder
    max_tokens: int
    most_loaded: int
    _known: dict[str, ServedModel] = field(default_factory=dict)
    _without: set[str] = field(default_factory=set)
    _stamp: int = -1
    _loaded: OrderedDict[str, NativeEngine] = field(default_factory=OrderedDict)
    _loading: asyncio.Lock = field(default_factory=asyncio.Lock)

    def models(self) -> Sequence[ServedModel]:
        """The result of every job that succeeded and was not unloaded."""
        stamp = self.folder.stamp
        if stamp != self._stamp:
            for number in self.folder.ids():
                if number not in self._known and number not in self._without:
                    self._look(number)
            self._stamp = stamp
        return list(self._known.values())

    async def is_ready(self) -> bool:
        """Always, where there is one."""
        return bool(self._known)

    async def close(self) -> None:
        """Let every model go."""
        while self._loaded:
            await self._let_go()

    async def answer(self, question: GatewayQuestion) -> AsyncGenerator[AnswerPiece, None]:
        """See ModelEngine."""
        engine = await self._engine(question.model)
        async with aclosing(engine.answer(question)) as pieces:
            async for piece in pieces:
                yield piece

    async def embed(self, model: str, texts: Sequence[str]) -> TextVectors:
        """Models that answer give no vectors."""
        raise ApiError(f"the model {model!r} gives answers, no vectors", param="model")

    def unload(self, model: str) -> None:
        """Serve a result no more, now and after a restart; its run stays. Raises ApiError for no such."""
        number = next((number for number, each in self._known.items() if each.id == model), None)
        if number is None:
            what = f"{model[:100]!r} is no result of a job; models of the command line stay until the end"
            raise ApiError(what, status=404, param="model", code="model_not_found")
        self.folder.change(number, lambda state: state.model_copy(update={"served": False}))
        self._without.add(number)
        del self._known[number]
        self._loaded.pop(model, None)

    def _look(self, number: str) -> None:
        state, job = self.folder.written(number), self.folder.job(number)
        if state.result is not None and state.result.answers and state.served:
            self._known[number] = _served(job, state)
        elif state.status in ("succeeded", "cancelled"):
            self._without.add(number)

    async def _engine(self, model: str) -> NativeEngine:
        """The engine of a model, loaded where it is not."""
        async with self._loading:
            if model not in self._loaded:
                while len(self._loaded) >= self.most_loaded:
                    await self._let_go()
                self._loaded[model] = await asyncio.to_thread(self._load, model)
            self._loaded.move_to_end(model)
            return self._loaded[model]

    async def _let_go(self) -> None:
        """Of the model that was asked the longest ago."""
        _, engine = self._loaded.popitem(last=False)
        await engine.close()

    def _load(self, model: str) -> NativeEngine:
        number, served = next(item for item in self._known.items() if item[1].id == model)
        run = self.folder.runs / self.folder.written(number).run
        try:
            loaded = load_talker(str(run))
        except FinewrightError as error:
            _LOG.error("%s cannot be loaded: %s", run, error)
            what = f"the model {model} cannot be loaded; the server's log says why"
            raise ApiError(what, status=500, code="model_not_loaded") from None
        return NativeEngine([NativeModel(served, loaded)], self.max_tokens)


def _served(job: TuningJob, state: JobState) -> ServedModel:
    assert state.result is not None
    return ServedModel(
        id=job.tuned_model,
        engine="native",
        fingerprint=state.result.fingerprint,
        system_prompt=state.result.system_prompt,
        context=state.result.context,
    )
