"""What one candidate is: a base model, its train settings, its rows, and the folder where all is kept."""

import hashlib
import platform
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
import transformers

from finewright import __version__
from finewright.errors import StageError
from finewright.lm import runtime
from finewright.lm.chat import Chat
from finewright.lm.example import Example
from finewright.lm.sources import LocalBase
from finewright.schema.train import TrainSettings
from finewright.store.stage import StageContext
from finewright.train.labelled import LabelledRows
from finewright.train.privacy.planned import PrivatePlan
from finewright.train.ranks import ALONE, Ranks, find_disagreement
from finewright.train.rewards import Rewards
from finewright.train.schedule import Schedule, schedule_of


@dataclass(frozen=True, slots=True)
class Work:
    """What is to be trained, on what, where it is kept, and by which processes."""

    context: StageContext
    spec: TrainSettings
    base: LocalBase
    chat: Chat
    rows: Sequence[Example]
    eval_rows: Sequence[Example]
    rewards: Rewards | None = None
    private: PrivatePlan | None = None
    ranks: Ranks = ALONE
    labelled: LabelledRows | None = None
    """Of a model of labels."""

    @property
    def folder(self) -> Path:
        """train/<base model> in the run, made when missing."""
        return result_folder(self.context, self.base.name)

    @property
    def schedule(self) -> Schedule:
        """Its steps, of rows or of the units of a private training."""
        drawn = self.rows if self.private is None else self.private.units
        return schedule_of(self.spec, [each.num_tokens for each in drawn])


def result_folder(context: StageContext, base_model: str) -> Path:
    """train/<base model> in the run, made when missing."""
    slug = _slug(base_model)
    if any(_slug(other) == slug for other in context.spec.base_models if other != base_model):
        slug += "-" + hashlib.sha256(base_model.encode()).hexdigest()[:8]
    folder = context.run.stage_dir("train") / slug
    folder.mkdir(exist_ok=True)
    return folder


def _slug(name: str) -> str:
    return re.sub(r"[^a-z0-9._-]+", "-", name.lower()).strip("-.")


def with_threads(context: StageContext, name: str, ranks: Ranks) -> TrainSettings:
    """The settings of a base model with the threads of one of so many processes: those that the spec names,
    else its share of the cores."""
    spec = context.candidates[name]
    if ranks.size == 1 or context.spec.train.stated_threads:
        return spec
    cores = spec.stated_threads or runtime.physical_cores()
    threads = max(1, cores // ranks.size)
    return spec.model_copy(update={"threads": threads})


def refuse_disagreement(work: Work) -> None:
    """Raise StageError, on every rank, where ranks do not train the same on the same with the same."""
    if work.ranks.size == 1:
        return
    rows = hashlib.sha256()
    for row in (*work.rows, *work.eval_rows):
        for sequence in row.sequences:
            rows.update(repr((sequence.input_ids, sequence.trained)).encode())
    facts = {
        "Python": platform.python_version(),
        "finewright": __version__,
        "torch": torch.__version__,
        "transformers": transformers.__version__,
        "device": runtime.device().type,
        "base model": work.base.sha256,
        "spec": work.context.key,
        "rows": rows.hexdigest(),
    }
    if found := find_disagreement(work.ranks.gather(facts)):
        raise StageError(
            f"the processes do not agree: {found}",
            hint="nothing was trained; give all of them the same installation and the same files",
        )
