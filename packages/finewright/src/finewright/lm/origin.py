"""What a base model is called elsewhere: in a folder that leaves this machine no path of it may stand."""

import json
import re
from pathlib import Path
from typing import NamedTuple

from finewright.catalog.models import read_packaged_models
from finewright.lm.sources import LocalBase

_HUB_ID = re.compile(r"^[A-Za-z0-9][\w.-]*/\w[\w.-]*$")


class ModelOrigin(NamedTuple):
    """A hub id where there is one, else the last name of a folder or file; and the hub's revision."""

    name: str
    revision: str | None = None


def origin_of(base: LocalBase) -> ModelOrigin:
    """The catalog's hub id of a packaged model, a hub model's own, or what a local folder's config names."""
    base = base.carrier
    if base.parent is not None:  # whole: no name of elsewhere is that of its weights
        return ModelOrigin(base.parent.run)
    if packaged := read_packaged_models().get(base.name):
        return ModelOrigin(packaged.source.partition(",")[0])
    if base.revision:
        return ModelOrigin(base.name.partition("@")[0], base.revision)
    known = _read_declared_origin(base.folder / "config.json")
    if _HUB_ID.match(known):
        return ModelOrigin(known)
    path = Path(base.name)
    named = (
        path.name if path.name.strip(".") else path.resolve().name
    )  # "." and ".." name no folder
    return ModelOrigin(named.removesuffix(".gguf"))


def _read_declared_origin(config: Path) -> str:
    """What transformers 4 wrote down of where a model came from."""
    if not config.is_file():
        return ""
    return str(json.loads(config.read_text(encoding="utf-8")).get("_name_or_path") or "")
