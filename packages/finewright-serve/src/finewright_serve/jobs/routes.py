"""The routes of files and jobs. They are for keys that may train."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import BaseRoute, Route

from finewright.errors import StoreError
from finewright_serve.gateway.app import asker_of
from finewright_serve.gateway.bodies import read_body
from finewright_serve.gateway.connected import refused
from finewright_serve.gateway.errors import ApiError, unsupported
from finewright_serve.gateway.openapi import PostedRoute, ReadRoute
from finewright_serve.gateway.steps import QuestionCaller
from finewright_serve.jobs.creation import CheckedJob, JobFolders, checked_job
from finewright_serve.jobs.files import FileFolder, UploadedFile
from finewright_serve.jobs.folder import JobFolder
from finewright_serve.jobs.ids import readable
from finewright_serve.jobs.job import JobState, TuningJob
from finewright_serve.jobs.lengths import ChatOf
from finewright_serve.jobs.queue import JobQueue
from finewright_serve.jobs.request import JobRequest
from finewright_serve.jobs.results import checkpoints_of, events_of
from finewright_serve.jobs.shown import job_object, page_of
from finewright_serve.jobs.tuned import TunedModels
from finewright_serve.jobs.uploads import Upload, upload_of

_LOG = logging.getLogger(__name__)
_BODY_BYTES, _BODY_SECONDS = 256 * 1024, 30.0
_IDLE_SECONDS, _UPLOAD_SECONDS = 30.0, 3600.0
_UPLOADS_AT_ONCE = 4
_MOST_FILES_LISTED = 10_000
_BYTES = "application/octet-stream"
_MAY_TRAIN = frozenset({"train", "admin"})

Work = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class JobsApi:
    """All that the routes stand on. `bases`: id that clients know -> what a spec names; `chat_of` is of the
    bases that are here."""

    files: FileFolder
    queue: JobQueue
    tuned: TunedModels
    bases: Mapping[str, str]
    file_bytes: int
    chat_of: ChatOf = lambda _: None

    @property
    def folder(self) -> JobFolder:
        """Where the jobs are."""
        return self.queue.folder


def job_routes(training: JobsApi) -> Sequence[BaseRoute]:
    """Routes to stand beside those of the gateway."""
    files, jobs = _FileRoutes(training, asyncio.Semaphore(_UPLOADS_AT_ONCE)), _JobRoutes(training)
    queue, one = training.queue, "/v1/fine_tuning/jobs/{job}"
    return [
        Route("/v1/files", guarded(files.create), methods=["POST"]),
        ReadRoute("/v1/files", guarded(files.list), "The files, newest first."),
        ReadRoute("/v1/files/{file}", guarded(files.show), "One of the files."),
        ReadRoute("/v1/files/{file}/content", guarded(files.content), "Its bytes.", _BYTES),
        Route("/v1/files/{file}", guarded(files.delete), methods=["DELETE"]),
        PostedRoute("/v1/fine_tuning/jobs", guarded(jobs.create), "Train a model.", JobRequest),
        ReadRoute("/v1/fine_tuning/jobs", guarded(jobs.list), "The jobs, newest first."),
        ReadRoute(one, guarded(jobs.show), "One of the jobs."),
        PostedRoute(f"{one}/cancel", guarded(jobs.change(queue.cancel)), "End it for good."),
        PostedRoute(f"{one}/pause", guarded(jobs.change(queue.pause)), "Stop at a checkpoint."),
        PostedRoute(f"{one}/resume", guarded(jobs.change(queue.resume)), "Go on from there."),
        ReadRoute(f"{one}/events", guarded(jobs.parts(events_of)), "What happened."),
        ReadRoute(f"{one}/checkpoints", guarded(jobs.parts(checkpoints_of)), "Its checkpoints."),
    ]


def guarded(work: Work, roles: frozenset[str] = _MAY_TRAIN) -> Work:
    """The work for keys of these roles, with every mistake as an error object."""

    async def guarded(request: Request) -> Response:
        try:
            if asker_of(request).role not in roles:
                needed = " or ".join(sorted(roles))
                raise ApiError(f"this needs a key of the role {needed}", status=403)
            return await work(request)
        except StoreError as error:
            _LOG.error("%s", error)
            full = "the disk is full" in str(error)
            what = "the server cannot write or read its folder; its log says why"
            return refused(ApiError(what, status=507 if full else 500))
        except Exception as error:
            return refused(error)

    return guarded


@dataclass(frozen=True, slots=True)
class _FileRoutes:
    training: JobsApi
    uploading: asyncio.Semaphore

    async def create(self, request: Request) -> Response:
        if self.uploading.locked():
            what = f"{_UPLOADS_AT_ONCE} files are being uploaded"
            raise ApiError(what, status=429, code="rate_limit_exceeded", retry_after=5)
        async with (
            self.uploading,
            upload_of(
                request,
                most_bytes=self.training.file_bytes,
                idle_seconds=_IDLE_SECONDS,
                seconds=_UPLOAD_SECONDS,
            ) as upload,
        ):
            project = asker_of(request).project
            return JSONResponse(await asyncio.to_thread(self._kept, upload, project))

    def _kept(self, upload: Upload, project: str) -> dict[str, Any]:
        if upload.purpose != "fine-tune":
            raise unsupported("purpose", "fine-tune is the only one here")
        files = self.training.files
        return files.add(upload.content, upload.filename, "fine-tune", project).shown()

    def _file(self, request: Request) -> UploadedFile:
        return self.training.files.find_for(asker_of(request), request.path_params["file"])

    async def list(self, request: Request) -> Response:
        query = request.query_params
        asker, every = asker_of(request), await asyncio.to_thread(self.training.files.all)
        files = [file for file in every if asker.may_see(file.project)]
        order = query.get("order", "desc")
        if order not in ("asc", "desc"):
            raise ApiError("order: asc or desc", param="order", code="invalid_value")
        shown = [file.shown() for file in files if query.get("purpose") in (None, file.purpose)]
        ordered = shown if order == "desc" else shown[::-1]
        usual = {"limit": str(_MOST_FILES_LISTED), **query}
        return JSONResponse(page_of(ordered, usual, most=_MOST_FILES_LISTED))

    async def show(self, request: Request) -> Response:
        return JSONResponse(self._file(request).shown())

    async def content(self, request: Request) -> Response:
        file = self._file(request)
        headers = {"X-Content-Type-Options": "nosniff", "Content-Disposition": "attachment"}
        path = self.training.files.content(file)
        return FileResponse(path, media_type=_BYTES, headers=headers)

    async def delete(self, request: Request) -> Response:
        number = self._file(request).id
        await asyncio.to_thread(self.training.files.delete, number)
        return JSONResponse({"id": number, "object": "file", "deleted": True})


@dataclass(frozen=True, slots=True)
class _JobRoutes:
    training: JobsApi

    async def create(self, request: Request) -> Response:
        posted = await read_body(request, JobRequest, most_bytes=_BODY_BYTES, seconds=_BODY_SECONDS)
        checked = await asyncio.to_thread(self._checked, asker_of(request), posted)
        # A client that left while its rows were read has ended this, and gets no job that it knows not of.
        return JSONResponse(await asyncio.to_thread(self._queued, checked))

    def _checked(self, asker: QuestionCaller, posted: JobRequest) -> CheckedJob:
        training = self.training
        training.queue.check_room(asker.project)
        folders = JobFolders(training.files, training.folder)
        parts = (folders, training.bases, training.chat_of)
        return checked_job(asker, posted, *parts, now=time.time())

    def _queued(self, checked: CheckedJob) -> dict[str, Any]:
        self.training.folder.add(*checked)
        self.training.queue.advance()
        return self._object(checked.job)

    async def list(self, request: Request) -> Response:
        wanted = _metadata(request.query_params)
        asker, query = asker_of(request), request.query_params
        return JSONResponse(await asyncio.to_thread(self._page, asker, query, wanted))

    def _page(
        self, asker: QuestionCaller, query: Mapping[str, str], wanted: Mapping[str, str] | None
    ) -> dict[str, Any]:
        jobs = {
            job.id: job
            for job in self.training.folder.all()
            if asker.may_see(job.project) and _has(job, wanted)
        }
        while True:
            page = page_of([{"id": number} for number in jobs], query)
            wished = [each["id"] for each in page["data"]]
            shown = list(
                readable(lambda number: self._object(self.training.folder.job(number)), wished)
            )
            damaged = set(wished) - {each["id"] for each in shown}
            if not damaged:
                return {**page, "data": shown}
            jobs = {number: job for number, job in jobs.items() if number not in damaged}

    async def show(self, request: Request) -> Response:
        return JSONResponse(await asyncio.to_thread(lambda: self._object(self._job(request))))

    def change(self, change: Callable[[TuningJob], JobState]) -> Work:
        def changed(request: Request) -> dict[str, Any]:
            job = self._job(request)
            change(job)
            return self._object(job)

        async def work(request: Request) -> Response:
            return JSONResponse(await asyncio.to_thread(changed, request))

        return work

    def parts(self, parts: Callable[..., Sequence[dict[str, Any]]]) -> Work:
        def page(request: Request) -> dict[str, Any]:
            job, folder = self._job(request), self.training.folder
            state = folder.state(job.id)
            return page_of(parts(job, state, folder.run(state)), request.query_params)

        async def work(request: Request) -> Response:
            return JSONResponse(await asyncio.to_thread(page, request))

        return work

    def _job(self, request: Request) -> TuningJob:
        return self.training.folder.job_for(asker_of(request), request.path_params["job"])

    def _object(self, job: TuningJob) -> dict[str, Any]:
        folder = self.training.folder
        state = folder.state(job.id)
        return job_object(job, state, folder.run(state))


def _metadata(query: Mapping[str, str]) -> Mapping[str, str] | None:
    """metadata[key]=value of the query; metadata=null asks for jobs without any."""
    if query.get("metadata") == "null":
        return {}
    found = {
        key.removeprefix("metadata[").removesuffix("]"): value
        for key, value in query.items()
        if key.startswith("metadata[")
    }
    return found or None


def _has(job: TuningJob, wanted: Mapping[str, str] | None) -> bool:
    if wanted is None:
        return True
    return not job.metadata if not wanted else wanted.items() <= job.metadata.items()
