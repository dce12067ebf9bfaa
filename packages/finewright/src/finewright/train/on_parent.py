"""What a training must know that starts from another run: what goes together, and what it takes over."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from finewright.errors import ModelError
from finewright.lm.parents import keep_adapter, read_parent
from finewright.lm.sources import LocalBase
from finewright.schema.adapter import LoraSpec
from finewright.schema.common import Problem, without
from finewright.schema.parents import ParentRun
from finewright.schema.run import DAY, RunSpec
from finewright.schema.train import TrainSettings
from finewright.store.rundir import open_run
from finewright.store.speclock import lock_of

if TYPE_CHECKING:
    from finewright.train.work import Work

_OF_THIS_TRAINING = frozenset({"type", "continue", "dropout", "quantization"})
"""Keys of an adapter that is trained further which are no part of what is stored."""


def find_unfit(spec: RunSpec, name: str, root: Path) -> Iterator[Problem]:
    """What does not go together with this base model being a run, or being none. Torch is not needed.

    Raises ModelError or StoreError where the run cannot be gone on from."""
    parent, train = read_parent(name, root), spec.train
    if parent is None:
        if train.adapter.continues:
            yield _error("train.adapter.continue", f"{name} is no run whose adapter could go on")
        return
    if Path(name.partition(":")[0]).name == spec.name != parent.run:
        yield _error(
            "base_models",
            f"{name} means the newest run of this very spec, which would be its own parent",
            f"name the folder: {Path(name).parent / parent.run}",
        )
    reason = _why_not_continued(train, parent) if train.adapter.continues else ""
    if reason:
        yield _error("train.adapter.continue", f"{name} {reason}")
    if not train.adapter.continues and (reason := _why_not_beside(train, parent)):
        yield _error("train.adapter", f"{name} {reason}")
    yield from _check_template(spec, parent)
    if train.privacy is not None:
        yield Problem(
            level="warning",
            key="train.privacy",
            message=f"it bounds what the rows of this run give away, not what {name} learned before",
        )


def _error(key: str, message: str, hint: str = "") -> Problem:
    return Problem(level="error", key=key, message=message, hint=hint)


def _why_not_continued(train: TrainSettings, parent: ParentRun) -> str:
    adapter = train.adapter
    kind = "dora" if getattr(adapter, "use_dora", False) else adapter.type
    if parent.adapter == "none":
        return "trained the whole model: leave continue out, or set train.adapter.type to none"
    if parent.adapter.replace("dora", "lora") != kind.replace("dora", "lora"):
        return f"trained {parent.adapter}: set train.adapter.type to that"
    if others := sorted(adapter.model_fields_set - _OF_THIS_TRAINING):
        return f"keeps the settings of its adapter: leave {', '.join(others)} out"
    return ""


def _why_not_beside(train: TrainSettings, parent: ParentRun) -> str:
    """A sum of deltas is one again only for plain LoRA."""
    if parent.adapter == "none":
        return ""
    go_on = "set train.adapter.continue to true"
    if parent.adapter != "lora":
        return f"trained {parent.adapter}, beside which no other adapter is exact: {go_on}"
    adapter = train.adapter
    if adapter.type != "lora" or adapter.use_dora or adapter.init != "kaiming":
        return f"trained LoRA, beside which only plain LoRA is exact: take that, or {go_on}"
    if train.privacy is not None:
        return f"trained LoRA, and train.privacy clips the rows of one adapter alone: {go_on}"
    return ""


def _check_template(spec: RunSpec, parent: ParentRun) -> Iterator[Problem]:
    theirs = without(lock_of(open_run(Path(parent.path))).spec.chat_template, (DAY,))
    if theirs != without(spec.chat_template, (DAY,)):
        yield _error(
            "chat_template",
            f"{parent.name} was trained with {theirs or 'no switches'} of the template",
            "set the same, so that what it learned is asked as it learned it",
        )


def with_parent(train: TrainSettings, base: LocalBase) -> TrainSettings:
    """The settings with those of the parent's adapter where that one goes on."""
    adapter = train.adapter
    if not adapter.continues or base.adapter is None:
        return train
    from finewright.lm.adapters.files import read_adapter_spec  # reads with torch

    stored = read_adapter_spec(base.adapter)
    own = {key: getattr(adapter, key) for key in adapter.model_fields_set & _OF_THIS_TRAINING}
    if stored.type != adapter.type:
        raise ModelError(f"{base.name} trained {stored.type}", hint="set train.adapter.type to it")
    return train.model_copy(update={"adapter": stored.model_copy(update=own)})


def with_rank_of_parent(train: TrainSettings, base: LocalBase | None) -> TrainSettings:
    """The settings as an estimate reckons them, without torch: of an adapter that goes on its own rank.
    Frozen factors beside a new one, some MB, are not reckoned."""
    adapter = train.adapter
    goes_on = base is not None and base.adapter is not None and adapter.continues
    if not goes_on or not isinstance(adapter, LoraSpec):
        return train
    assert base is not None
    assert base.adapter is not None
    stored = json.loads((base.adapter / "adapter_config.json").read_text("utf-8"))
    return train.model_copy(update={"adapter": adapter.model_copy(update={"r": int(stored["r"])})})


def with_kept_parent(work: "Work") -> "Work":
    """The work on the parent's adapter as it is kept in the run's own folder, copied there first."""
    adapter = work.base.adapter
    if adapter is None or adapter.is_relative_to(work.folder):
        return work
    return replace(work, base=replace(work.base, adapter=keep_adapter(adapter, work.folder)))
