"""Targets of a spec -> engines with the models that they name, by ids and never by paths."""

import re
from collections.abc import Sequence
from pathlib import Path

from finewright.errors import StoreError
from finewright.features.serve.spec import ServedTarget, ServeSpec
from finewright.gateway.native import NativeEngine, NativeModel
from finewright.gateway.question import ModelEngine, ServedModel
from finewright.lm.sources import locate, reads_of_files
from finewright.store.rundir import open_run
from finewright.train.trained import trained_base
from finewright.workbench.systems import candidate_of, load_talker, target_sha256

_OTHER = re.compile(r"[^\w.@/-]+")


def engines_of(targets: Sequence[ServedTarget], spec: ServeSpec) -> list[ModelEngine]:
    """Every target loaded. Raises StoreError where two have one id."""
    models = [_native(each) for each in targets]
    ids = [model.served.id for model in models]
    for number, name in enumerate(ids):
        if name in ids[:number]:
            raise StoreError(
                f"{targets[number].target}: there is a model {name!r} already",
                hint="give it another id in the spec: {target: ..., id: ...}",
            )
    return [NativeEngine(models, spec.max_tokens)]


def _native(target: ServedTarget) -> NativeModel:
    loaded = load_talker(target.target)
    folder = Path(target.target)
    is_run = (folder / "manifest.json").is_file()
    if is_run:
        run = open_run(folder)
        base = trained_base(run, candidate_of(run, ""))
    else:
        base = locate(target.target, Path.cwd())
    name = model_id(base.name)
    served = ServedModel(
        id=target.id or (f"{name}:{folder.resolve().name}" if is_run else name),
        engine="native",
        fingerprint="fp_" + target_sha256(target.target)[:16],
        system_prompt=loaded.system_prompt,
        context=reads_of_files(base),
    )
    return NativeModel(served, loaded)


def model_id(base: str) -> str:
    """What clients call a base model: its name, of a folder the last part, and never a path."""
    is_path = base.startswith((".", "/", "~")) or base.endswith(".gguf") or Path(base).exists()
    name = Path(base).resolve().name.removesuffix(".gguf") if is_path else base
    return _OTHER.sub("-", name)
