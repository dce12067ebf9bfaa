"""Targets of a spec -> engines with the models that they name, by ids and never by paths."""

import logging
import os
from collections.abc import Sequence
from pathlib import Path

from finewright import plugins
from finewright.errors import DataError, StoreError
from finewright.fetch.cache import outgoing_is_forbidden
from finewright.fetch.certificates import load_certificates
from finewright.fetch.endpoint import Endpoint
from finewright.store.atomic import sha256_file
from finewright_serve.gateway.question import ModelEngine, ServedModel
from finewright_serve.local import LocalModels, Serving
from finewright_serve.model_ids import model_id, plain_id
from finewright_serve.spec import LlamacppSettings, ServedTarget, ServeSpec

_LOG = logging.getLogger(__name__)


def engines_of(targets: Sequence[ServedTarget], serving: Serving) -> list[ModelEngine]:
    """Every target loaded, by the engine of its kind. Raises StoreError where two have one id."""
    engines: list[ModelEngine] = []
    for kind in plugins.list_names("engine"):
        if mine := [target for target in targets if target.kind == kind]:
            engines += plugins.resolve("engine", kind)(mine, serving)
    refuse_repeats([model.id for engine in engines for model in engine.models()])
    return engines


def refuse_repeats(ids: Sequence[str]) -> None:
    """Raise StoreError where two models would have one id."""
    for number, name in enumerate(ids):
        if name in ids[:number]:
            raise StoreError(
                f"there are two models {name!r}",
                hint="name it once, or give one another id in the spec: {target: ..., id: ...}",
            )


def ids_of(target: ServedTarget, local: LocalModels) -> list[str]:
    """What clients will call the models of a target; nothing is loaded."""
    return [local.id_of(target)] if target.kind == "native" else _ids_of(target)


def _ids_of(target: ServedTarget) -> list[str]:
    if target.kind == "remote":
        return [target.id or plain_id(Endpoint.parse(target.target).model)]
    name = target.id or model_id(target.target)
    return [name, *(f"{name}:{adapter}" for adapter in target.llamacpp.adapters)]


def remote(targets: Sequence[ServedTarget], serving: Serving) -> list[ModelEngine]:
    """Another server each."""
    return [_remote(target, serving.spec) for target in targets]


def _remote(target: ServedTarget, spec: ServeSpec) -> ModelEngine:
    from finewright_serve.gateway.remote import RemoteEngine, RemoteModel
    from finewright_serve.gateway.upstream import Upstream

    first, settings = Endpoint.parse(target.target), target.remote
    key = os.environ.get(settings.key_env, "").strip() if settings.key_env else ""
    if settings.key_env and not (key and key.isascii() and key.isprintable()):
        raise DataError(f"{target.target}: the environment variable {settings.key_env} has no key")
    upstreams = []
    for url in (target.target, *(f"{url}#{first.model}" for url in settings.also)):
        endpoint = Endpoint.parse(url)
        if not endpoint.is_local and outgoing_is_forbidden():
            raise DataError(f"{url}: FINEWRIGHT_OFFLINE or HF_HUB_OFFLINE forbids to ask it")
        is_open = endpoint.base_url.startswith("http:") and not endpoint.is_local
        if key and is_open and not settings.trusted_network:
            raise DataError(
                f"{url}: the key would go over an unencrypted connection",
                hint="use https://, or say that nobody listens there: remote.trusted_network: true",
            )
        upstreams.append(
            Upstream(endpoint.base_url, key, settings.silent_seconds, endpoint.is_local)
        )
    (name,) = _ids_of(target)
    context = _context_there(upstreams[0].url, first.model, key, is_local=upstreams[0].is_local)
    served = ServedModel(name, "remote", context=context, embeds=settings.embeds)
    models, at_once = [RemoteModel(served, first.model)], settings.at_once
    return RemoteEngine(models, upstreams, at_once=at_once, most=spec.max_tokens)


def _context_there(url: str, model: str, key: str, *, is_local: bool) -> int | None:
    """How much the model reads, where its server says that. Raises StoreError where it does not serve it;
    a server that is not up yet is no mistake: /readyz waits for it."""
    import httpx

    headers = {"Authorization": f"Bearer {key}"} if key else {}
    try:
        found = httpx.get(
            f"{url}/models",
            headers=headers,
            timeout=5,
            trust_env=not is_local,
            verify=load_certificates(),
        )
        rows = {str(row["id"]): row for row in found.raise_for_status().json()["data"]}
    except (httpx.HTTPError, httpx.InvalidURL, ValueError, KeyError, TypeError) as error:
        _LOG.warning("%s: its models are not known yet: %s", url, str(error) or repr(error))
        return None
    if rows and model not in rows:
        known = ", ".join(sorted(rows)[:8])
        raise StoreError(f"{url}: it serves no model {model!r}", hint=f"it serves: {known}")
    given = rows[model].get("max_model_len") if rows else None
    return given if isinstance(given, int) else None


def llamacpp(targets: Sequence[ServedTarget], serving: Serving) -> list[ModelEngine]:
    """A llama.cpp for each file."""
    return [_llamacpp(target, serving.spec) for target in targets]


def _llamacpp(target: ServedTarget, spec: ServeSpec) -> ModelEngine:
    from finewright.lm.llamacpp.server import LlamacppServer, require_llamacpp, start_llamacpp
    from finewright_serve.gateway.llamacpp import LlamacppEngine

    require_llamacpp("it serves GGUF files")
    settings = target.llamacpp
    files = [Path(target.target), *map(Path, settings.adapters.values())]
    for path in files:
        if not path.is_file():
            raise StoreError(f"{path}: there is no such file")

    def start(threads: int | None) -> LlamacppServer:
        return start_llamacpp(
            files[0],
            files[1:],
            context=settings.context,
            parallel=settings.at_once,
            threads=threads or settings.threads,
        )

    models = _gguf_models(_ids_of(target), files, settings)
    engine = LlamacppEngine(models, start, at_once=settings.at_once, most=spec.max_tokens)
    for number, speed in engine.server.speeds.items():
        threads = "1 thread" if number == 1 else f"{number} threads"
        _LOG.info("%s: %s: %.1f tokens/s", target.target, threads, speed)
    return engine


def _gguf_models(
    names: Sequence[str], files: Sequence[Path], settings: LlamacppSettings
) -> list[ServedModel]:
    digests = [sha256_file(path) for path in files]
    return [
        ServedModel(
            each,
            "llamacpp",
            f"fp_{digests[0][:16]}" + (f"_{digests[number][:16]}" if number else ""),
            context=settings.context,
        )
        for number, each in enumerate(names)
    ]


def embedder(targets: Sequence[ServedTarget], serving: Serving) -> list[ModelEngine]:
    """A thread for each."""
    return [_embedder(target) for target in targets]


def _embedder(target: ServedTarget) -> ModelEngine:
    from finewright.lm.embedders.load import load_embedder
    from finewright_serve.gateway.embedding import CountingEmbedder, EmbedderEngine

    loaded = load_embedder(target.target, Path)
    if not isinstance(loaded, CountingEmbedder):
        raise DataError(f"{target.target}: it counts no tokens, so it cannot be served")
    known = target.target in plugins.names("embedder")
    name = target.id or (target.target if known else model_id(target.target))
    fingerprint = "fp_" + loaded.id.rpartition("@")[2]
    return EmbedderEngine(ServedModel(name, "embedder", fingerprint, embeds=True), loaded)
