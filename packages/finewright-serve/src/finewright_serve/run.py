"""`serve`: load what is to be served, open the port, and answer until a signal comes."""

import logging
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from pydantic import ValidationError
from starlette.routing import BaseRoute

from finewright.errors import DataError
from finewright.feature import Session
from finewright.schema.load_section import load_section
from finewright_serve.commands_api import CommandsApi
from finewright_serve.gateway.admission import Admission
from finewright_serve.gateway.app import app_of
from finewright_serve.gateway.gateway import Gateway, GatewayLimits
from finewright_serve.gateway.keys import KeyRing, make_key
from finewright_serve.gateway.log import UnhurriedHandler
from finewright_serve.gateway.measures import Measures
from finewright_serve.gateway.server import ServerHooks, Tls, bind, check_tls, run_server
from finewright_serve.gateway.steps import AnswerStep
from finewright_serve.jobs.routes import job_routes
from finewright_serve.loading import RunLoading
from finewright_serve.local import LocalModels
from finewright_serve.models import Serving, engines_of, refuse_repeats
from finewright_serve.options import ServeOptions
from finewright_serve.spec import ServedTarget, ServeSpec
from finewright_serve.training import jobs_of, keep_private

_LOG = logging.getLogger(__name__)
_KEYS = "keys.json"


def serve(options: ServeOptions, session: Session) -> str:
    """Serve until a signal comes; with `new_key`, make a key instead, the line that is returned."""
    spec, root = _spec(options)
    folder = root / spec.folder
    keys = folder / _KEYS
    if options.new_key or options.project:
        return _new_key(options, keys, session)
    if not spec.models:
        raise DataError("nothing to serve", hint="name a run or a base model")
    _begin_log(spec.log)
    keep_private(folder)
    tls = Tls(root / spec.tls.certificate, root / spec.tls.key) if spec.tls else None
    if tls is not None:
        check_tls(tls)
    local = LocalModels(spec.max_tokens, spec.at_once)
    targets = _targets(spec, local)
    listening = bind(spec.host, spec.port)
    with listening, jobs_of(targets, spec, folder, local) as jobs, _steps(spec) as steps:
        ring = None if spec.keys == "none" else _ring(keys, session)
        admission = Admission(spec.waiting, spec.waiting_seconds, ring.ids if ring else tuple)
        engines = [jobs.tuned, *engines_of(targets, Serving(spec, local))]
        gateway = Gateway(engines, admission, Measures(admission), _limits(spec), steps)
        host, port = listening.getsockname()[:2]
        shown = f"[{host}]" if ":" in host else host
        scheme = "https" if spec.tls else "http"

        def start() -> None:
            session.tell(f"serving {', '.join(gateway.models())} at {scheme}://{shown}:{port}/v1\n")

        def drain() -> None:
            counts = f"{admission.running} answers are given, {admission.waiting} questions wait"
            _LOG.info("a signal: the server ends; %s, for %g s at most", counts, spec.drain_seconds)
            admission.draining = True

        runs = root / spec.runs if spec.runs else None
        more = [*RunLoading(gateway, local, jobs.tuned, runs).routes()]
        more += job_routes(jobs) if spec.jobs.at_once else ()
        more += _commands(spec, root)
        run_server(
            app_of(gateway, ring, more),
            listening,
            tls=tls,
            hooks=ServerHooks(start, drain, admission.end, lambda: admission.is_idle),
            drain_seconds=spec.drain_seconds,
            header_seconds=spec.header_seconds,
        )
        _LOG.info("the server has ended")
    return ""


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


def _new_key(options: ServeOptions, keys: Path, session: Session) -> str:
    """A key, as the line that is returned."""
    if not options.new_key:
        raise DataError("--project is of a key that is made", hint="--new-key user --project NAME")
    key = make_key(keys, options.new_key, session.today.isoformat(), options.project)
    session.tell(f"API key of role {options.new_key}, shown once; {keys} has its digest:\n")
    return key + "\n"


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


def _spec(options: ServeOptions) -> tuple[ServeSpec, Path]:
    """The section, with what the command line says over it, and the folder that its paths start from."""
    spec, root = ServeSpec(), Path()
    if options.spec is not None or options.overrides:
        spec = load_section("serve", ServeSpec, options.spec, options.overrides).spec
        root = options.spec.parent if options.spec else root
    if options.draft_model and not options.targets:
        raise DataError(
            "--draft-model is of models that the command line names",
            hint="in a spec it is serve.models: [{target: ..., draft_model: ...}]",
        )
    given = {"host": options.host or None, "port": options.port}
    said: dict[str, object] = {key: value for key, value in given.items() if value is not None}
    draft = {"draft_model": options.draft_model} if options.draft_model else {}
    try:
        if options.targets:
            said["models"] = [ServedTarget(target=each, **draft) for each in options.targets]
        return ServeSpec.model_validate(spec.model_dump(exclude_unset=True) | said), root
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise DataError(first["msg"].removeprefix("Value error, ")) from None


@contextmanager
def _steps(spec: ServeSpec) -> Iterator[list[AnswerStep]]:
    """The steps around every answer, while it serves."""
    if not spec.spans:
        yield []
        return
    from finewright_serve.gateway.spans import AnswerSpans, exporting

    provider = exporting(spec.spans)
    try:
        yield [AnswerSpans(provider.get_tracer("finewright"))]
    finally:
        provider.shutdown()


def _limits(spec: ServeSpec) -> GatewayLimits:
    return GatewayLimits(
        body_bytes=spec.body_bytes,
        body_seconds=spec.body_seconds,
        answer_seconds=spec.answer_seconds,
        max_tokens=spec.max_tokens,
        temperature=spec.temperature,
    )


def _ring(path: Path, session: Session) -> KeyRing:
    """The keys; at the first start one is made, and shown once."""
    if not path.exists():
        key = make_key(path, "admin", session.today.isoformat())
        session.tell(f"API key, shown once: {key}\n")
    return KeyRing(path)
