"""From a loaded spec to what a run needs: its inputs' digests, settings with nothing open, the lock."""

from collections.abc import Iterator, Mapping

from pydantic import BaseModel

from finewright import __version__
from finewright.data.source import HUB, source_digest, source_path
from finewright.errors import SpecError
from finewright.lm import runtime, sources
from finewright.lm.sources import base_digest, locate, num_parameters
from finewright.schema.common import default_reasons
from finewright.schema.load import LoadedSpec
from finewright.schema.lock import Lock, commit_in
from finewright.schema.methods import AnyTrainSpec, OnlineSettings
from finewright.schema.rewards import RewardSpec
from finewright.schema.run import RunSpec
from finewright.store.atomic import sha256_file
from finewright.store.keys import digest
from finewright.train.defaults import resolve
from finewright.workbench.stages import code_digest, is_of_evaluation


def input_digests(loaded: LoadedSpec) -> dict[str, str]:
    """Dotted key -> digest of the file or base model that the spec names there. Needs no torch.

    Raises SpecError when a file is missing."""
    spec, found = loaded.spec, {}
    for i, source in enumerate(spec.data.sources):
        found[f"data.sources.{i}.path"] = _source_digest(loaded, i, source.path)
    if key_file := spec.data.personal_data.key_file:
        key = "data.personal_data.key_file"
        found[key] = _file_digest(loaded, key, key_file)
    poison = spec.data.poison
    if poison.action != "off" and poison.base_model:
        found["data.poison.base_model"] = base_digest(poison.base_model, loaded.path.parent)
    for i, item in enumerate(spec.evaluate.data):
        found[f"evaluate.data.{i}.path"] = _file_digest(
            loaded, f"evaluate.data.{i}.path", item.path
        )
    if isinstance(spec.train, OnlineSettings):
        for i, reward in enumerate(spec.train.rewards):
            if file := _file_of(reward):
                key = f"train.rewards.{i}.function"
                found[key] = _file_digest(loaded, key, file)
    for i, name in enumerate(spec.base_models):
        found[f"base_models.{i}"] = base_digest(name, loaded.path.parent)
    return found


def _file_of(reward: RewardSpec) -> str:
    """The file that decides what a reward is worth, when there is one."""
    if reward.kind == "python":
        return reward.argument.rpartition(":")[0]
    if reward.kind == "reward_model":
        return f"{reward.argument}/manifest.json"
    return reward.argument if reward.kind == "json_schema" else ""


def _source_digest(loaded: LoadedSpec, number: int, name: str) -> str:
    path = source_path(name, loaded.resolve)
    if path.is_dir() or name.startswith(HUB):
        return source_digest(path)
    return _file_digest(loaded, f"data.sources.{number}.path", name)


def _file_digest(loaded: LoadedSpec, key: str, name: str) -> str:
    path = loaded.resolve(name)
    if not path.is_file():
        what = "is a folder, not a file" if path.is_dir() else "there is no such file"
        raise SpecError(
            f"{loaded.path}: {key}: {name}: {what}", hint="paths start from the spec's own folder"
        )
    return sha256_file(path)


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
    candidates: dict[str, AnyTrainSpec] = {}
    for i, name in enumerate(loaded.spec.base_models):
        commit = commit_in(inputs.get(f"base_models.{i}", ""))
        base = locate(name, loaded.path.parent, commit=commit)
        candidates[name], why = resolved_here(loaded.spec.train, base)
        for key, reason in why.items():
            reasons[f"candidates.{name}.{key}"] = reason
    return Lock(
        finewright=__version__,
        code_sha256=code_digest(),
        root=str(loaded.path.parent.resolve()),
        spec=loaded.spec,
        candidates=candidates,
        reasons=reasons,
        inputs=dict(inputs),
    )


def resolved_here(
    spec: AnyTrainSpec, base: sources.BaseModel
) -> tuple[AnyTrainSpec, dict[str, str]]:
    """The train settings with what this machine and the model's size decide, and a reason for each."""
    return resolve(
        spec,
        num_parameters=num_parameters(base.folder),
        threads=runtime.physical_cores(),
        fast_bf16=runtime.fast_bf16(),
        on_gpu=runtime.device().type == "cuda",
    )


def spec_reasons(spec: RunSpec, set_keys: frozenset[str]) -> Iterator[tuple[str, str]]:
    """(dotted key, reason) of every value that the user did not write."""
    yield from _reasons(spec, "", set_keys)


def _reasons(model: BaseModel, prefix: str, set_keys: frozenset[str]) -> Iterator[tuple[str, str]]:
    why = default_reasons(type(model))
    for name in type(model).model_fields:
        key, value = f"{prefix}{name}", getattr(model, name)
        if isinstance(value, BaseModel):
            yield from _reasons(value, f"{key}.", set_keys)
        elif isinstance(value, tuple) and value and isinstance(value[0], BaseModel):
            for i, item in enumerate(value):
                yield from _reasons(item, f"{key}.{i}.", set_keys)
        elif key not in set_keys and name in why:
            yield key, why[name]
