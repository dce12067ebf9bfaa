"""From the name of an embedder in a spec to the embedder."""

from collections.abc import Callable
from pathlib import Path

from finewright import plugins
from finewright.errors import ModelError, UnknownPlugin, meant
from finewright.lm.embedders.embedder import Embedder

NONE = "none"
_PATH_STARTS = (".", "/", "~")


def load_embedder(name: str, resolve: Callable[[str], Path]) -> Embedder | None:
    """The embedder of that name, ready to embed; None for "none".

    A name is, in this order: none, a packaged or installed embedder, an endpoint's URL (`https://HOST/v1#MODEL`),
    a model's folder, found by `resolve`. Raises UnknownPlugin, ModelError, FetchError or MissingExtra."""
    if name == NONE:
        return None
    if "://" in name:
        from finewright.lm.embedders.endpoint import EndpointEmbedder

        return EndpointEmbedder(name)
    if name in plugins.names("embedder"):
        loaded: Embedder = plugins.resolve("embedder", name)()
        return loaded
    folder = resolve(name)
    if folder.is_dir():
        from finewright.lm.embedders.folder import load_folder

        return load_folder(folder)
    if name.startswith(_PATH_STARTS) or "/" in name:
        raise ModelError(
            f"embedder {name!r}: there is no such folder",
            hint="name the folder that holds config.json, tokenizer.json and the safetensors",
        )
    raise _unknown(name)


def _unknown(name: str) -> UnknownPlugin:
    known = [NONE, *plugins.names("embedder")]
    return UnknownPlugin(
        "; ".join(filter(None, (f"no embedder named {name!r}", meant(name, known)))),
        hint=f"use one of: {', '.join(known)}; or a model's folder, or https://HOST/v1#MODEL",
    )
