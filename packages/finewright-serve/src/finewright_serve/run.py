"""`serve`: load what is to be served, open the port, and answer until a signal comes."""

import logging
import socket
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from starlette.routing import BaseRoute
from starlette.types import ASGIApp

from finewright.errors import DataError
from finewright.feature import Session
from finewright_serve.audit.command import AUDIT
from finewright_serve.audit.log import AuditLog, Rotation
from finewright_serve.commands_api import CommandsApi
from finewright_serve.documents import (
    DocumentStep,
    ModelDocuments,
    open_documents,
    tell_uncalibrated,
)
from finewright_serve.gateway.admission import Admission
from finewright_serve.gateway.app import Audit, app_of
from finewright_serve.gateway.gateway import Gateway, GatewayLimits
from finewright_serve.gateway.kept_responses import KEPT, ResponseStore
from finewright_serve.gateway.keys import KeyRing, make_key
from finewright_serve.gateway.limits import Limiter
from finewright_serve.gateway.log import UnhurriedHandler
from finewright_serve.gateway.measures import Measures
from finewright_serve.gateway.question import ModelEngine
from finewright_serve.gateway.server import ServerHooks, Tls, bind, check_tls, run_server
from finewright_serve.gateway.steps import AnswerStep
from finewright_serve.gateway.usage_stores import store_of
from finewright_serve.guards.guard import Guard
from finewright_serve.guards.load import load_guards
from finewright_serve.guards.pipeline import GuardStep
from finewright_serve.guards.spec import GuardSpec
from finewright_serve.jobs.routes import job_routes
from finewright_serve.keys_command import KEYS
from finewright_serve.loading import RunLoading
from finewright_serve.local import LocalModels, Serving
from finewright_serve.models import engines_of, ids_of, refuse_repeats
from finewright_serve.spec import ServedTarget, ServeSpec
from finewright_serve.training import jobs_of, keep_private
from finewright_serve.watch.alarms import Alarms, AlarmStep, webhook_of
from finewright_serve.watch.theft import theft_step
from finewright_serve.watermark import watermark_of

_LOG = logging.getLogger(__name__)
_LIMITS = [
    f"x-ratelimit-{what}-{of}"
    for what in ("limit", "remaining", "reset")
    for of in ("requests", "tokens")
]
_SEEN_BY_PAGES = ["x-request-id", "retry-after", "ai-disclosure", *_LIMITS]


def serve(spec: ServeSpec, root: Path, session: Session) -> None:
    """Serve until a signal comes; `root` is the folder that the paths of the spec start from."""
    folder = root / spec.folder
    keys = folder / KEYS
    _begin_log(spec.log)
    keep_private(folder)
    tls = _tls(spec, root)
    guards = load_guards(spec.guards, root)
    local = LocalModels(spec.max_tokens, spec.at_once, watermark_of(spec.watermark, folder))
    targets = _targets(spec, local)
    listening, begun = bind(spec.host, spec.port), time.monotonic()
    session.tell(f"loading {', '.join(target.id or target.target for target in targets)}\n")
    with (
        listening,
        _documents(targets, local, root, session) as documents,
        _audit(spec, folder) as audit,
        jobs_of(targets, spec, folder, local) as jobs,
        _kept(spec, folder) as kept,
        _alarms(spec, audit) as alarms,
        _steps(spec, [*_watching(spec, root, alarms), *_guarding(guards, documents)]) as steps,
    ):
        ring = None if spec.keys == "none" else _ring(keys, session)
        engines = [jobs.tuned, *engines_of(targets, Serving(spec, local))]
        gateway = _gateway(spec, folder, engines, ring, steps)
        alarms.measures, admission = gateway.measures, gateway.admission

        def start() -> None:
            ready = f"ready after {time.monotonic() - begun:.1f} s: serving"
            where = _address(listening, tls)
            session.tell(f"{ready} {', '.join(gateway.models())} at {where}\n")

        runs = root / spec.runs if spec.runs else None
        more = [*RunLoading(gateway, local, jobs.tuned, runs).routes()]
        more += [*(job_routes(jobs) if spec.jobs.at_once else ()), *_commands(spec, root)]
        run_server(
            open_to(app_of(gateway, ring, more, audit, kept), spec.cors),
            listening,
            tls=tls,
            hooks=_hooks(start, admission, spec.drain_seconds),
            drain_seconds=spec.drain_seconds,
            header_seconds=spec.header_seconds,
        )
        _LOG.info("the server has ended")


@contextmanager
def _documents(
    targets: Sequence[ServedTarget], local: LocalModels, root: Path, session: Session
) -> Iterator[Mapping[str, ModelDocuments]]:
    """Model -> its documents, while it serves; what they cannot tell is said."""
    sources = {id: each.sources for each in targets if each.sources for id in ids_of(each, local)}
    with open_documents(sources, root) as documents:
        for line in tell_uncalibrated(documents):
            session.tell(line)
        yield documents


def _hooks(start: Callable[[], None], admission: Admission, seconds: float) -> ServerHooks:
    def drain() -> None:
        counts = f"{admission.running} answers are given, {admission.waiting} questions wait"
        _LOG.info("a signal: the server ends; %s, for %g s at most", counts, seconds)
        admission.draining = True

    return ServerHooks(start, drain, admission.end, lambda: admission.is_idle)


def open_to(app: ASGIApp, origins: Sequence[str]) -> ASGIApp:
    """The application, as browsers let pages of these origins ask it."""
    if not origins:
        return app
    from starlette.middleware.cors import CORSMiddleware

    return CORSMiddleware(
        app,
        allow_origins=origins,
        allow_methods=["GET", "POST", "DELETE"],
        allow_headers=["*"],
        expose_headers=_SEEN_BY_PAGES,
    )


def _commands(spec: ServeSpec, root: Path) -> Sequence[BaseRoute]:
    """The route of the commands, where the spec opens it."""
    if not spec.commands:
        return ()
    folder, own = (root / spec.commands).resolve(), (root / spec.folder).resolve()
    if not folder.is_dir():
        raise DataError(f"serve.commands: {folder}: there is no such folder", hint="make it first")
    if own.is_relative_to(folder) or folder.is_relative_to(own):
        what = f"serve.commands: {folder}: keys and files of clients lie in {own}"
        raise DataError(what, hint="name two folders, neither within the other")
    return CommandsApi(folder, spec.command_seconds).routes()


def _targets(spec: ServeSpec, local: LocalModels) -> list[ServedTarget]:
    """What is to be served, before anything is opened or made. Raises StoreError where one is named twice."""
    targets = [ServedTarget(target=t) if isinstance(t, str) else t for t in spec.models]
    refuse_repeats([target.id or target.target for target in targets])
    refuse_repeats([local.id_of(target) for target in targets if target.kind == "native"])
    return targets


def _begin_log(level: str) -> None:
    """One line for each thing on stderr: ours from this level on, others' from warnings on."""
    form, dates = "%(asctime)s %(levelname)s %(message)s", "%Y-%m-%dT%H:%M:%S%z"
    handlers = [UnhurriedHandler(sys.stderr)]
    logging.basicConfig(level=logging.WARNING, format=form, datefmt=dates, handlers=handlers)
    for name in ("finewright", __name__.partition(".")[0]):  # the core, and this package
        logging.getLogger(name).setLevel(level.upper())


@contextmanager
def _alarms(spec: ServeSpec, audit: Audit | None) -> Iterator[Alarms]:
    """Where alarms go, while it serves."""
    webhook = webhook_of(spec.alarms) if spec.alarms else None
    try:
        yield Alarms(audit=audit.log if audit else None, webhook=webhook)
    finally:
        if webhook is not None:
            webhook.close()


def _watching(spec: ServeSpec, root: Path, alarms: Alarms) -> Iterator[AnswerStep]:
    """What sees a question as its client sent it, before the guards."""
    if spec.theft is not None:
        yield theft_step(spec.theft, root, root / spec.folder, alarms)
    yield AlarmStep(alarms)


def _guarding(
    guards: Sequence[tuple[GuardSpec, Guard]], documents: Mapping[str, ModelDocuments]
) -> Iterator[AnswerStep]:
    """The guards, and behind them what answers from documents."""
    step = GuardStep(guards)
    if guards:
        yield step
    if documents:
        yield DocumentStep(documents, step)


@contextmanager
def _steps(spec: ServeSpec, steps: Sequence[AnswerStep]) -> Iterator[Sequence[AnswerStep]]:
    """The steps around every answer, while it serves."""
    if not spec.spans:
        yield steps
        return
    from finewright_serve.gateway.spans import AnswerSpans, exporting

    provider = exporting(spec.spans)
    try:
        yield [*steps, AnswerSpans(provider.get_tracer("finewright"))]
    finally:
        provider.shutdown()


@contextmanager
def _audit(spec: ServeSpec, folder: Path) -> Iterator[Audit | None]:
    """The audit, while it serves."""
    if spec.audit is None:
        yield None
        return
    wanted = spec.audit
    most = wanted.megabytes * 10**6 if wanted.megabytes else None
    log = AuditLog(
        folder / AUDIT,
        every=wanted.every,
        seconds=wanted.seconds,
        is_synced=wanted.sync,
        rotation=Rotation(wanted.daily, most),
    )
    try:
        yield Audit(log, wanted.words)
    finally:
        log.close()


@contextmanager
def _kept(spec: ServeSpec, folder: Path) -> Iterator[ResponseStore | None]:
    """The responses that are kept, while it serves."""
    if spec.responses is None:
        yield None
        return
    store = ResponseStore(folder / KEPT, spec.responses.days, spec.responses.megabytes)
    try:
        yield store
    finally:
        store.close()


def _tls(spec: ServeSpec, root: Path) -> Tls | None:
    """The files of HTTPS, which belong together."""
    tls = Tls(root / spec.tls.certificate, root / spec.tls.key) if spec.tls else None
    if tls is not None:
        check_tls(tls)
    return tls


def _address(listening: socket.socket, tls: Tls | None) -> str:
    """What clients are given."""
    host, port = listening.getsockname()[:2]
    shown = f"[{host}]" if ":" in host else host
    return f"{'https' if tls else 'http'}://{shown}:{port}/v1"


def _gateway(
    spec: ServeSpec,
    folder: Path,
    engines: Sequence[ModelEngine],
    ring: KeyRing | None,
    steps: Sequence[AnswerStep],
) -> Gateway:
    admission = _admission(spec, ring)
    measures, limiter = Measures(admission), None
    if ring is not None:
        store = store_of(spec.limits.store, folder)
        limiter = Limiter(store, ring.limits, measures, spec.limits.when_away)
    return Gateway(engines, admission, measures, _limits(spec), steps, limiter)


def _admission(spec: ServeSpec, ring: KeyRing | None) -> Admission:
    if ring is None:
        return Admission(spec.waiting, spec.waiting_seconds)
    return Admission(
        spec.waiting,
        spec.waiting_seconds,
        ring.ids,
        lambda key: ring.limits(key).answers_at_once,
    )


def _limits(spec: ServeSpec) -> GatewayLimits:
    return GatewayLimits(
        body_bytes=spec.body_bytes,
        body_seconds=spec.body_seconds,
        answer_seconds=spec.answer_seconds,
        max_tokens=spec.max_tokens,
        temperature=spec.temperature,
        disclosure=spec.disclosure,
    )


def _ring(path: Path, session: Session) -> KeyRing:
    """The keys; at the first start one is made, and shown once."""
    if not path.exists():
        key = make_key(path, "admin", session.today.isoformat())
        session.tell(f"API key, shown once: {key}\n")
    return KeyRing(path)
