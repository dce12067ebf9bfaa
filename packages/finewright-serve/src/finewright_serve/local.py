"""Runs and base models of this machine, loaded into finewright's own engine: each base model once, with the
adapters of all its runs beside it."""

import asyncio
import logging
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple
from weakref import WeakKeyDictionary, WeakValueDictionary

from finewright.compare.local import LoadedModel
from finewright.errors import DataError
from finewright.lm import runtime
from finewright.lm.sources import LocalBase, locate, reads_of_files
from finewright.schema.run import DAY
from finewright.schema.train import Candidate
from finewright.schema.train_section import settings_of
from finewright.store.rundir import RunDir, is_run, open_run
from finewright.store.speclock import lock_of
from finewright.train.trained import find_trained_base
from finewright.workbench.systems import (
    candidate_of,
    check_target,
    is_decider,
    load_decider,
    load_talker,
    system_prompt_of,
    target_sha256,
    with_draft,
)
from finewright_serve.gateway.deciding import DeciderEngine
from finewright_serve.gateway.native import NativeEngine, NativeModel
from finewright_serve.gateway.question import ModelEngine, ServedModel
from finewright_serve.model_ids import model_id
from finewright_serve.spec import ServedTarget, ServeSpec

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from finewright.lm.engine.draft import DraftGuesses
    from finewright.lm.engine.watermark import Watermark
    from finewright.lm.model import LM

_LOG = logging.getLogger(__name__)


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

    @property
    def id(self) -> str:
        """What clients call it."""
        name = model_id(self.base.name)
        name = f"{name}:{self.run.root.resolve().name}" if self.run else name
        return self.target.id or name

    def served(self, system_prompt: str) -> ServedModel:
        """As clients know it."""
        return ServedModel(
            id=self.id,
            engine="native",
            fingerprint="fp_" + target_sha256(self.target.target)[:16],
            system_prompt=system_prompt,
            context=reads_of_files(self.base),
        )


class _Drafted(NamedTuple):
    """A draft model by name, and its guesses."""

    name: str
    guesses: "DraftGuesses | None"


@dataclass(frozen=True, slots=True)
class Serving:
    """What an engine is made beside: the section of the spec, and what loads models of this machine."""

    spec: ServeSpec
    local: "LocalModels"


def native(targets: Sequence[ServedTarget], serving: Serving) -> list[ModelEngine]:
    """All models of language in one engine, and each model of labels in one of its own."""
    deciding = [target for target in targets if is_decider(target.target)]
    others = [target for target in targets if target not in deciding]
    engines: list[ModelEngine] = [_decider(target) for target in deciding]
    return [*engines, serving.local.serve(others)] if others or not engines else engines


def _decider(target: ServedTarget) -> DeciderEngine:
    fingerprint = "fp_" + target_sha256(target.target)[:16]
    served = ServedModel(_id_of_decider(target), "native", fingerprint)
    return DeciderEngine(served, load_decider(target.target))


def _id_of_decider(target: ServedTarget) -> str:
    run = open_run(Path(target.target))
    name = f"{model_id(candidate_of(run, '').base_model)}:{run.root.resolve().name}"
    return target.id or name


_BaseKey = tuple[str, str, str]
"""Digest of a base model, its number format, and the consent to its code."""


@dataclass(slots=True)
class LocalModels:
    """What loads models of this machine, each base model once, and the engine that they answer in.

    A base model is in memory as long as something that was read with it is."""

    max_tokens: int
    at_once: int
    watermark: "Watermark | None" = None
    """What all answers are marked with."""
    _reading: threading.Lock = field(default_factory=threading.Lock)
    _bases: "WeakValueDictionary[_BaseKey, LM]" = field(default_factory=WeakValueDictionary)
    _without_blocks: set[_BaseKey] = field(default_factory=set)
    _drafts: "WeakKeyDictionary[LM, _Drafted]" = field(default_factory=WeakKeyDictionary)
    _engine: NativeEngine | None = None

    @property
    def engine(self) -> NativeEngine:
        """The one engine; there is none before it is asked for."""
        if self._engine is None:
            self._engine = NativeEngine([], self.max_tokens, self.at_once)
        return self._engine

    def serve(self, targets: Sequence[ServedTarget]) -> NativeEngine:
        """The engine with every target."""
        for target in targets:
            asyncio.run(self.engine.load(self.read(target)))
        return self.engine

    def id_of(self, target: ServedTarget) -> str:
        """What clients would call the target; nothing is loaded."""
        return _id_of_decider(target) if is_decider(target.target) else _find(target).id

    def read(self, target: ServedTarget) -> NativeModel:
        """The model of a target: beside its base, where that one's cache can be kept in blocks; else it has
        its own. Threads read one after the other."""
        runtime.require_runtime()
        with self._reading:
            found = _find(target)
            is_whole = found.run is not None and found.adapter is None
            lm = None if is_whole else self._base(found)
            model = _alone(found) if lm is None else _beside(found, lm)
            if (day := model.loaded.chat.options.get(DAY)) and found.run:
                _LOG.info(
                    "%s: its template asks for the day and is told that of the training, %s",
                    found.id,
                    day,
                )
            return self._drafted(model, target)

    def _drafted(self, model: NativeModel, target: ServedTarget) -> NativeModel:
        """With the draft of its base model, which is the first one's. Raises DataError for another."""
        name, lm = target.draft_model, model.loaded.lm
        if lm not in self._drafts:
            found = with_draft(model.loaded, name).draft if name else None
            self._drafts[lm] = _Drafted(name, found)
        known = self._drafts[lm]
        if name and name != known.name:
            raise DataError(
                f"{target.target}: draft_model {name}: its base model is served with"
                f" {known.name or 'none'} already",
                hint="name one draft_model for all runs of a base model",
            )
        loaded = replace(model.loaded, draft=known.guesses)
        return replace(model, loaded=loaded, watermark=self.watermark)

    def _base(self, found: _Found) -> "LM | None":
        """The base model that adapters may stand beside; None where its cache cannot be kept in blocks."""
        from finewright.lm.load import load_lm

        base = found.base.carrier if found.run else found.base
        key = (base.sha256, found.dtype, found.consent)
        lm = self._bases.get(key)
        if lm is None and key not in self._without_blocks:
            lm = load_lm(base, None, dtype=found.dtype, consent=found.consent)
            if not lm.block_bytes:
                self._without_blocks.add(key)
                return None
            self._bases[key] = lm
        return lm


def _find(target: ServedTarget) -> _Found:
    check_target(target.target)
    folder = Path(target.target)
    if not is_run(folder):
        return _Found(target, locate(target.target, Path.cwd()), None, None)
    run = open_run(folder)
    candidate = candidate_of(run, "")
    if not settings_of(candidate.method).gives_answers:
        load_talker(target.target)  # says that it gives no answers
    return _Found(target, find_trained_base(run, candidate), run, candidate)


def _alone(found: _Found) -> NativeModel:
    loaded = load_talker(found.target.target)
    return NativeModel(found.served(loaded.system_prompt), loaded)


def _beside(found: _Found, lm: "LM") -> NativeModel:
    from finewright.lm.engine.weights import read_weights
    from finewright.lm.load_chat import chat_of, load_chat

    spec = lock_of(found.run).spec if found.run else None
    chat = chat_of(found.base, spec) if spec else load_chat(found.base, options={DAY: "today"})
    prompt = system_prompt_of(found.run) if found.run else ""
    weights = None if found.adapter is None else read_weights(found.adapter, lm.model)
    served = found.served(prompt)
    return NativeModel(served, LoadedModel(served.id, lm, chat, None, prompt), weights)


def tokenizer_of(target: str) -> "PreTrainedTokenizerBase":
    """The tokenizer of a run or a base model, without its weights."""
    from finewright.lm.load_chat import load_chat

    found = _find(ServedTarget(target=target))
    return load_chat(found.base, consent=found.consent, options={}).tokenizer
