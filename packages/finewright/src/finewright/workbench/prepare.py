"""From a loaded spec to what a run needs: its inputs' digests, settings with nothing open, the lock."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

from pydantic import BaseModel

from finewright import __version__
from finewright.data.source import HUB, source_digest, source_path
from finewright.errors import StoreError
from finewright.feature import ask_day
from finewright.labels.features import features_digest
from finewright.lm import runtime, sources
from finewright.lm.sources import base_digest, locate, num_parameters
from finewright.schema.common import Problem, default_reasons
from finewright.schema.evaluate import OwnMetric
from finewright.schema.load import LoadedSpec
from finewright.schema.lock import HUB_DIGEST, Lock, commit_in
from finewright.schema.methods import DistillSpec, GKDSpec, OnlineSettings
from finewright.schema.parents import ParentRun
from finewright.schema.rewards import RewardSpec
from finewright.schema.run import DAY, RunSpec
from finewright.schema.train import TrainSettings
from finewright.store.atomic import sha256_file
from finewright.store.keys import digest
from finewright.store.stage import refuse
from finewright.train.defaults import resolve
from finewright.train.on_parent import with_parent
from finewright.workbench.stages import code_digest, is_of_evaluation

_READERS = {
    "base_models.": "train",
    "train.": "train",
    "evaluate.metrics.": "evaluate",
    "evaluate.json_schema": "evaluate",
}
"""The stage that reads what a key names, by how the key begins; all else the data stage reads."""
_OF_TEMPLATE = ("chat_template.jinja", "chat_template.json", "tokenizer_config.json")


def input_digests(loaded: LoadedSpec) -> dict[str, str]:
    """Dotted key -> digest of the file or base model that the spec names there. Needs no torch.

    Raises DataError when files are missing."""
    refuse([loaded.locate(problem) for problem in missing_files(loaded)])
    return {key: take() for key, take in _digests(loaded)}


def refuse_changed(lock: Lock, stage: str, parents: Sequence[ParentRun] = ()) -> None:
    """Raise StoreError where a file or model that the stage reads has changed since the run was begun.

    The data stage reads the rows, and training the base models and what its rewards name; the other stages
    read what these two made. Of the `parents` who looks for them takes the recorded result or none."""
    names = {parent.name for parent in parents}
    of_parents = {f"base_models.{i}" for i, n in enumerate(lock.spec.base_models) if n in names}
    nothing_written = frozenset[str]()
    loaded = LoadedSpec(lock.spec, "", Path(lock.root) / "spec.yaml", nothing_written, {})
    for key, take in _digests(loaded):
        reader = next((stage for start, stage in _READERS.items() if key.startswith(start)), "data")
        begun = lock.inputs.get(key, HUB_DIGEST)
        if key in of_parents:
            continue
        if reader == stage and not begun.startswith(HUB_DIGEST) and take() != begun:
            raise StoreError(
                f"{key}: what it names has changed since this run was begun",
                hint="run its spec file, which starts a new run, or put back what was there",
            )


def _digests(loaded: LoadedSpec) -> Iterator[tuple[str, Callable[[], str]]]:
    """The key of each file and base model that the spec names, and what takes its digest."""
    spec, root = loaded.spec, loaded.path.parent
    for key, name in named_files(loaded):
        yield key, partial(sha256_file, loaded.resolve(name))
    for key, name in named_sources(loaded):
        path = source_path(name, loaded.resolve)
        yield key, partial(sha256_file if path.is_file() else source_digest, path)
    poison = spec.data.poison
    if poison.action != "off" and poison.base_model:
        yield "data.poison.base_model", partial(base_digest, poison.base_model, root)
    take = features_digest if spec.train.on_features else base_digest
    for i, name in enumerate(spec.base_models):
        yield f"base_models.{i}", partial(take, name, root)
    if isinstance(spec.train, DistillSpec | GKDSpec):
        yield "train.teacher", partial(base_digest, spec.train.teacher, root)


def _is_there(loaded: LoadedSpec, source: str) -> bool:
    path = source_path(source, loaded.resolve)
    return source.startswith(HUB) or path.is_file() or path.is_dir()


def missing_files(loaded: LoadedSpec) -> list[Problem]:
    """An error for each file that the spec names where none is."""
    sources = [(key, name) for key, name in named_sources(loaded) if not _is_there(loaded, name)]
    problems = [_missing(key, name, "there is no such file") for key, name in sources]
    paths = [(key, name, loaded.resolve(name)) for key, name in named_files(loaded)]
    return problems + [no_file(key, name, path) for key, name, path in paths if not path.is_file()]


def no_file(key: str, name: str, path: Path) -> Problem:
    """What to say of a key that names what is no file."""
    what = "is a folder, not a file" if path.is_dir() else "there is no such file"
    return _missing(key, name, what)


def _missing(key: str, name: str, what: str) -> Problem:
    hint = "paths start from the spec's own folder"
    return Problem(level="error", key=key, message=f"{name}: {what}", hint=hint)


def named_sources(loaded: LoadedSpec) -> Iterator[tuple[str, str]]:
    """The key and the name of each file or folder of rows."""
    for i, source in enumerate(loaded.spec.data.sources):
        yield f"data.sources.{i}.path", source.path


def named_files(loaded: LoadedSpec) -> Iterator[tuple[str, str]]:
    """The key and the name of each thing beside them that must be a file."""
    spec = loaded.spec
    if key_file := spec.data.personal_data.key_file:
        yield "data.personal_data.key_file", key_file
    for i, item in enumerate(spec.evaluate.data):
        yield f"evaluate.data.{i}.path", item.path
    for i, metric in enumerate(spec.evaluate.metrics):
        if isinstance(metric, OwnMetric):
            yield f"evaluate.metrics.{i}.function", metric.file
    if spec.evaluate.json_schema:
        yield "evaluate.json_schema", spec.evaluate.json_schema
    if isinstance(spec.train, OnlineSettings):
        for i, reward in enumerate(spec.train.rewards):
            if file := _file_of(reward):
                yield f"train.rewards.{i}.function", file


def _file_of(reward: RewardSpec) -> str:
    """The file that decides what a reward is worth, when there is one."""
    if reward.kind == "python":
        return reward.argument.rpartition(":")[0]
    if reward.kind == "reward_model":
        return f"{reward.argument}/manifest.json"
    return reward.argument if reward.kind == "json_schema" else ""


def run_key(loaded: LoadedSpec, inputs: Mapping[str, str]) -> str:
    """What names a run: all that its training is a function of, and not what is measured or how."""
    spec = loaded.spec
    trained = {key: digest for key, digest in inputs.items() if not is_of_evaluation(key)}
    section = [spec.version, spec.name, spec.base_models, spec.remote_code, spec.data, spec.train]
    if spec.chat_template:  # decides what is asked and learned
        section.append(spec.chat_template)
    return digest(section, trained, code_digest())


def spec_key(loaded: LoadedSpec, inputs: Mapping[str, str]) -> str:
    """Of the whole spec, its inputs and the code: what names a folder of several runs that are compared."""
    return digest(loaded.spec, dict(inputs), code_digest())


def make_lock(loaded: LoadedSpec, inputs: Mapping[str, str]) -> Lock:
    """Resolve every default. Fetches and converts base models that are not here yet."""
    reasons = dict(spec_reasons(loaded.spec, loaded.set_keys))
    candidates: dict[str, TrainSettings] = {}
    folders = []
    for i, name in enumerate(loaded.spec.base_models):
        if loaded.spec.train.on_features:
            candidates[name] = loaded.spec.train
            continue
        commit = commit_in(inputs.get(f"base_models.{i}", ""))
        base = locate(name, loaded.path.parent, commit=commit)
        folders.append(base.folder)
        candidates[name], why = resolve_here(with_parent(loaded.spec.train, base), base)
        for key, reason in why.items():
            reasons[f"candidates.{name}.{key}"] = reason
    return Lock(
        finewright=__version__,
        code_sha256=code_digest(),
        root=str(loaded.path.parent.resolve()),
        spec=_set_day(loaded.spec, folders),
        candidates=candidates,
        reasons=reasons,
        inputs=dict(inputs),
    )


def _set_day(spec: RunSpec, folders: Iterable[Path]) -> RunSpec:
    """The spec with the day that templates which ask for it are told, in training and wherever the run is
    asked: this one, unless it names another."""
    named = spec.chat_template.get(DAY, "today")
    if named != "today" or not any(map(_asks_for_day, folders)):
        return spec
    return spec.model_copy(
        update={"chat_template": {**spec.chat_template, DAY: ask_day().isoformat()}}
    )


def _asks_for_day(folder: Path) -> bool:
    """Whether the model has a template that asks for the day. By its text: torch need not be there."""
    found = [*folder.glob("*.jinja"), *folder.glob("*.json")]
    return any(DAY in path.read_text("utf-8") for path in found if path.name in _OF_TEMPLATE)


def resolve_here(
    spec: TrainSettings, base: sources.LocalBase
) -> tuple[TrainSettings, dict[str, str]]:
    """The train settings with what this machine and the model's size decide, and a reason for each."""
    free = runtime.free_cores() if spec.threads == "auto" else None
    if free:
        spec = spec.model_copy(update={"threads": free.number})
    resolved, reasons = resolve(
        spec,
        num_parameters=num_parameters(base.folder),
        threads=runtime.physical_cores(),
        fast_bf16=runtime.fast_bf16(),
        on_gpu=runtime.device().type == "cuda",
    )
    return resolved, {**reasons, "threads": free.reason} if free else reasons


def spec_reasons(spec: RunSpec, set_keys: frozenset[str]) -> Iterator[tuple[str, str]]:
    """(dotted key, reason) of every value that the user did not write."""
    yield from _reasons(spec, "", set_keys)


def _reasons(model: BaseModel, prefix: str, set_keys: frozenset[str]) -> Iterator[tuple[str, str]]:
    why = default_reasons(type(model))
    unread = model.unread if isinstance(model, TrainSettings) else frozenset[str]()
    for name in type(model).model_fields:
        if name in unread:
            continue
        key, value = f"{prefix}{name}", getattr(model, name)
        if isinstance(value, BaseModel):
            yield from _reasons(value, f"{key}.", set_keys)
        elif isinstance(value, tuple) and any(isinstance(item, BaseModel) for item in value):
            for i, item in enumerate(value):
                if isinstance(item, BaseModel):
                    yield from _reasons(item, f"{key}.{i}.", set_keys)
        elif key not in set_keys and name in why:
            yield key, why[name]
