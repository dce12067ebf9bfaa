"""From the name of an embedder in a spec to the embedder."""

import difflib
from collections.abc import Callable
from pathlib import Path

from finewright import plugins
from finewright.errors import ModelError, UnknownPlugin
from finewright.rag.index import Embedder

NONE = "none"
_PATH_STARTS = (".", "/", "~")


def load_embedder(name: str, resolve: Callable[[str], Path]) -> Embedder | None:
    """The embedder of that name, ready to embed; None for "none".

    A name is, in this order: none, a packaged or installed embedder, an endpoint's URL (`https://HOST/v1#MODEL`),
    a model's folder, found by `resolve`. Raises UnknownPlugin, ModelError, FetchError or MissingExtra."""
    if name == NONE:
        return None
    if "://" in name:
        from finewright.rag.embed.endpoint import EndpointEmbedder

        return EndpointEmbedder(name)
    if name in plugins.names("embedder"):
        loaded: Embedder = plugins.resolve("embedder", name)()
        return loaded
    folder = resolve(name)
    if folder.is_dir():
        from finewright.rag.embed.folder import load_folder

        return load_folder(folder)
    if name.startswith(_PATH_STARTS) or "/" in name:
        raise ModelError(
            f"embedder {name!r}: there is no such folder",
            hint="name the folder that holds config.json, tokenizer.json and the safetensors",
        )
    raise _unknown(name)


def _unknown(name: str) -> UnknownPlugin:
    known = [NONE, *plugins.names("embedder")]
    close = difflib.get_close_matches(name, known, n=1)
    return UnknownPlugin(
        f"no embedder named {name!r}" + (f"; did you mean {close[0]!r}?" if close else ""),
        hint=f"use one of: {', '.join(known)}; or a model's folder, or https://HOST/v1#MODEL",
    )
