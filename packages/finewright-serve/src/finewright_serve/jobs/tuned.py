"""What jobs made, behind the gateway: served from the moment that a job succeeds, and after every restart.

Listing reads states alone. A model is loaded when it is first asked, beside its base where that is served
too, and only the last few stay loaded."""

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from contextlib import aclosing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from finewright.errors import FinewrightError
from finewright_serve.gateway.errors import ApiError
from finewright_serve.gateway.native import NativeEngine, NativeModel
from finewright_serve.gateway.question import AnswerPiece, GatewayQuestion, ServedModel, TextVectors
from finewright_serve.gateway.switching import Switching
from finewright_serve.jobs.folder import JobFolder
from finewright_serve.jobs.job import JobState, TuningJob

_LOG = logging.getLogger(__name__)
_RETRY_SECONDS = 1


@dataclass(slots=True, eq=False)
class TunedModels:
    """A ModelEngine of the results of jobs. `engine` gives the engine that they answer in, `read` the model
    of a run by the id that clients know; at most `most_loaded` are loaded."""

    folder: JobFolder
    engine: Callable[[], NativeEngine]
    read: Callable[[Path, str], NativeModel]
    at_once: int
    most_loaded: int
    _known: dict[str, ServedModel] = field(default_factory=dict)
    _without: set[str] = field(default_factory=set)
    _stamp: int = -1
    _loaded: dict[str, None] = field(default_factory=dict)
    _num_answering: Counter[str] = field(default_factory=Counter)
    _switching: Switching = field(default_factory=Switching)

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
        """Let every model go that does not answer."""
        await self._switching.whole(self._close())

    async def _close(self) -> None:
        while self._loaded:
            name = next(iter(self._loaded))
            del self._loaded[name]
            with suppress(ApiError):
                await self.engine().unload(name)

    async def answer(self, question: GatewayQuestion) -> AsyncGenerator[AnswerPiece, None]:
        """See ModelEngine."""
        with self._asking(question.model):
            await self._switching.whole(self._load(question.model))
            async with aclosing(self.engine().answer(question)) as pieces:
                async for piece in pieces:
                    yield piece

    async def embed(self, model: str, texts: Sequence[str]) -> TextVectors:
        """Models that answer give no vectors."""
        raise ApiError(f"the model {model!r} gives answers, no vectors", param="model")

    async def unload(self, model: str) -> None:
        """Serve a result no more, now and after a restart; its run stays. Raises ApiError for no such, and
        for one that is answering."""
        await self._switching.whole(self._unload(model))

    async def _unload(self, model: str) -> None:
        self.models()
        number = self._number(model)
        if number is None:
            what = f"{model[:100]!r} is no result of a job; models of the command line stay until the end"
            raise ApiError(what, status=404, param="model", code="model_not_found")
        if self._num_answering[model]:
            what = f"the model {model!r} is answering"
            raise ApiError(what, status=409, param="model", retry_after=_RETRY_SECONDS)
        if model in self._loaded:
            await self._let_go(model)  # first: where the engine refuses, nothing has changed
        self.folder.change(number, lambda state: state.model_copy(update={"served": False}))
        self._without.add(number)
        del self._known[number]

    def _look(self, number: str) -> None:
        try:
            state, job = self.folder.written(number), self.folder.job(number)
        except FinewrightError as error:
            _LOG.error("%s: its result is not served: %s", number, error)
            self._without.add(number)
            return
        if state.result is not None and state.result.answers and state.served:
            self._known[number] = _served(job, state)
        elif state.status in ("succeeded", "cancelled"):
            self._without.add(number)

    def _number(self, model: str) -> str | None:
        return next((number for number, each in self._known.items() if each.id == model), None)

    @contextmanager
    def _asking(self, model: str) -> Iterator[None]:
        """As long as this lasts, nobody lets the model go."""
        self._num_answering[model] += 1
        try:
            yield
        finally:
            self._num_answering[model] -= 1

    async def _load(self, model: str) -> None:
        """Load it where it is not, in the place of the one that was asked the longest ago."""
        if model not in self._loaded:
            if len(self._loaded) >= self.most_loaded:
                await self._make_room()
            await self.engine().load(await asyncio.to_thread(self._read, model))
        self._loaded.pop(model, None)
        self._loaded[model] = None

    async def _make_room(self) -> None:
        for name in self._loaded:
            if not self._num_answering[name]:
                await self._let_go(name)
                return
        what = f"{len(self._loaded)} other models are answering, and no more are loaded at once"
        raise ApiError(what, status=503, retry_after=_RETRY_SECONDS)

    async def _let_go(self, name: str) -> None:
        await self.engine().unload(name)
        del self._loaded[name]

    def _read(self, model: str) -> NativeModel:
        number = self._number(model)
        if number is None:
            raise ApiError(f"the model {model!r} was unloaded", status=404, code="model_not_found")
        run = self.folder.runs / self.folder.written(number).run
        try:
            return self.read(run, model)
        except FinewrightError as error:
            _LOG.error("%s cannot be loaded: %s", run, error)
            what = f"the model {model} cannot be loaded; the server's log says why"
            raise ApiError(what, status=500, code="model_not_loaded") from None


def _served(job: TuningJob, state: JobState) -> ServedModel:
    assert state.result is not None
    return ServedModel(
        id=job.tuned_model,
        engine="native",
        fingerprint=state.result.fingerprint,
        system_prompt=state.result.system_prompt,
        context=state.result.context,
        owner=job.project,
    )
