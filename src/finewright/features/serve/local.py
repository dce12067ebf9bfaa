"""Runs and base models of this machine, loaded into finewright's own engine."""

from collections.abc import Sequence
from pathlib import Path

from finewright.features.serve.models import model_id
from finewright.features.serve.spec import ServedTarget
from finewright.gateway.native import NativeEngine, NativeModel
from finewright.gateway.question import ModelEngine, ServedModel
from finewright.lm.sources import locate, reads_of_files
from finewright.store.rundir import open_run
from finewright.train.trained import trained_base
from finewright.workbench.systems import candidate_of, load_talker, target_sha256


def native_engine(targets: Sequence[ServedTarget], max_tokens: int) -> ModelEngine:
    """The engine with every target."""
    return NativeEngine([_native(each) for each in targets], max_tokens)


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
