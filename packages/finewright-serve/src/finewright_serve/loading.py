"""Runs that are served while the server goes on: POST /v1/models loads one, DELETE /v1/models/ID lets it go.

Both are for keys of the role admin. A run is named, and is one of the folder `serve.runs`: no path comes from
a request, and no base model that the run does not name is fetched."""

import asyncio
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from pydantic import Field
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from finewright.errors import FinewrightError
from finewright.store.rundir import is_run
from finewright_serve.gateway.app import asker_of, model_object
from finewright_serve.gateway.bodies import read_body
from finewright_serve.gateway.errors import ApiError
from finewright_serve.gateway.gateway import Gateway
from finewright_serve.gateway.messages import RequestPart
from finewright_serve.gateway.openapi import PostedRoute
from finewright_serve.gateway.question import ServedModel
from finewright_serve.gateway.switching import Switching
from finewright_serve.jobs.routes import guarded
from finewright_serve.jobs.tuned import TunedModels
from finewright_serve.local import LocalModels
from finewright_serve.spec import ServedTarget

_LOG = logging.getLogger(__name__)
_ADMIN = frozenset({"admin"})
_BODY_BYTES, _BODY_SECONDS = 16 * 1024, 30.0


class LoadRequest(RequestPart):
    """The body of POST /v1/models."""

    run: Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$")]
    id: Annotated[str, Field(pattern=r"^[\w.:@-]{1,128}$")] | None = None


@dataclass(slots=True)
class RunLoading:
    """What the two routes stand on; `folder` has the runs that may be loaded, None where there are none."""

    gateway: Gateway
    local: LocalModels
    tuned: TunedModels
    folder: Path | None
    _loaded: set[str] = field(default_factory=set)
    _switching: Switching = field(default_factory=Switching)

    def routes(self) -> Sequence[BaseRoute]:
        """To stand beside those of the gateway."""
        return [
            PostedRoute("/v1/models", guarded(self._post, _ADMIN), "Serve a run.", LoadRequest),
            Route("/v1/models/{model:path}", guarded(self._delete, _ADMIN), methods=["DELETE"]),
        ]

    async def _post(self, request: Request) -> Response:
        posted = await read_body(
            request, LoadRequest, most_bytes=_BODY_BYTES, seconds=_BODY_SECONDS
        )
        served = await self._switching.whole(self._load(posted))
        return JSONResponse(model_object(served, self.gateway.started, asker_of(request)))

    async def _load(self, posted: LoadRequest) -> ServedModel:
        target = ServedTarget(target=str(self._path(posted.run)), id=posted.id or "")
        engine = self.local.engine
        with _explained(posted.run):
            name = await asyncio.to_thread(self.local.id_of, target)
            if name in self.gateway.models():
                what = f"there is a model {name!r} already; unload it, or give this one another id"
                raise ApiError(what, status=409, param="id", code="model_exists")
            model = await asyncio.to_thread(self.local.read, target)
            await engine.load(model)
        if engine not in self.gateway.engines:
            self.gateway.engines = [*self.gateway.engines, engine]
        self._loaded.add(name)
        _LOG.info("the run %s is served as %s", posted.run, name)
        return model.served

    def _path(self, run: str) -> Path:
        if self.folder is None:
            what = "this server loads no runs: the folder that has them is serve.runs of its spec"
            raise ApiError(what, status=403, code="loading_is_off")
        if not is_run(self.folder / run):
            raise ApiError(
                f"there is no run {run!r}", status=404, param="run", code="run_not_found"
            )
        return self.folder / run

    async def _delete(self, request: Request) -> Response:
        model = request.path_params["model"]
        if model in self._loaded:
            await self.local.engine.unload(model)
            self._loaded.discard(model)
        else:
            await self.tuned.unload(model)
        _LOG.info("the model %s is served no more", model)
        return JSONResponse({"id": model, "object": "model", "deleted": True})


@contextmanager
def _explained(run: str) -> Iterator[None]:
    """What is wrong with a run goes to the log, which alone may name places of this machine."""
    try:
        yield
    except ApiError:
        raise
    except FinewrightError as error:
        _LOG.error("the run %s cannot be loaded: %s", run, error)
        what = f"the run {run!r} cannot be loaded; the server's log says why"
        raise ApiError(what, param="run", code="model_not_loaded") from None
