"""Runs and base models of this machine, loaded into finewright's own engine: each base model once, with the
adapters of all its runs beside it."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

from finewright.compare.models import LoadedModel
from finewright.features.serve.models import model_id
from finewright.features.serve.spec import ServedTarget
from finewright.gateway.native import NativeEngine, NativeModel
from finewright.gateway.question import ModelEngine, ServedModel
from finewright.lm import runtime
from finewright.lm.sources import LocalBase, locate, reads_of_files
from finewright.schema.train import Candidate
from finewright.store.rundir import RunDir, open_run
from finewright.store.speclock import lock_of
from finewright.train.trained import trained_base
from finewright.workbench.systems import (
    candidate_of,
    check_target,
    load_talker,
    system_prompt_of,
    target_sha256,
)


class _Found(NamedTuple):
    """A target, its base model, and of a run what it trained."""

    target: ServedTarget
    base: LocalBase
    run: RunDir | None
    candidate: Candidate | None

    @property
    def adapter(self) -> Path | None:
        """The folder of what was trained, where it is an adapter and no whole model."""
        if self.run is None or self.candidate is None:
            return None
        folder = self.run.root / self.candidate.adapter
        return folder if (folder / "adapter_config.json").is_file() else None

    @property
    def consent(self) -> str:
        """The consent to the base model's own code."""
        return lock_of(self.run).spec.remote_code.get(self.base.name, "") if self.run else ""

    @property
    def dtype(self) -> Literal["bf16", "fp32"]:
        """The number format that it was measured in."""
        if self.run is None:
            return "bf16" if runtime.fast_bf16() else "fp32"
        found = lock_of(self.run).candidates[self.base.name].dtype
        assert found != "auto"
        return found

    def served(self, system_prompt: str) -> ServedModel:
        """As clients know it."""
        name = model_id(self.base.name)
        name = f"{name}:{self.run.root.resolve().name}" if self.run else name
        return ServedModel(
            id=self.target.id or name,
            engine="native",
            fingerprint="fp_" + target_sha256(self.target.target)[:16],
            system_prompt=system_prompt,
            context=reads_of_files(self.base),
        )


def native_engine(targets: Sequence[ServedTarget], max_tokens: int, at_once: int) -> ModelEngine:
    """The engine with every target."""
    runtime.require_runtime()
    found = [_find(target) for target in targets]
    shared: dict[tuple[str, str, str], list[_Found]] = {}
    for each in found:
        if each.run is None or each.adapter is not None:
            key = (each.base.sha256, each.dtype, each.consent)
            shared.setdefault(key, []).append(each)
    models = {m.served.id: m for group in shared.values() for m in _beside_each_other(group)}
    alone = [each for each in found if each.run is not None and each.adapter is None]
    models |= {m.served.id: m for m in map(_alone, alone)}
    return NativeEngine([*models.values()], max_tokens, at_once)


def _find(target: ServedTarget) -> _Found:
    check_target(target.target)
    folder = Path(target.target)
    if not (folder / "manifest.json").is_file():
        return _Found(target, locate(target.target, Path.cwd()), None, None)
    run = open_run(folder)
    candidate = candidate_of(run, "")
    if candidate.method == "reward":
        load_talker(target.target)  # says that it gives no answers
    return _Found(target, trained_base(run, candidate), run, candidate)


def _alone(found: _Found) -> NativeModel:
    loaded = load_talker(found.target.target)
    return NativeModel(found.served(loaded.system_prompt), loaded)


def _beside_each_other(group: Sequence[_Found]) -> Iterator[NativeModel]:
    """One base model for all, where its cache can be kept in blocks; else each has its own."""
    from finewright.lm.engine.weights import read_weights
    from finewright.lm.load import chat_of, load_chat, load_lm

    first = group[0]
    lm = load_lm(first.base, None, dtype=first.dtype, consent=first.consent)
    if not lm.block_bytes:
        yield from map(_alone, group)
        return
    for each in group:
        spec = lock_of(each.run).spec if each.run else None
        chat = chat_of(each.base, spec) if spec else load_chat(each.base)
        prompt = system_prompt_of(each.run) if each.run else ""
        weights = None if each.adapter is None else read_weights(each.adapter, lm.model)
        name = each.served(prompt)
        yield NativeModel(name, LoadedModel(name.id, lm, chat, None, prompt), weights)
