"""What one candidate is: a base model, its train settings, its rows, and the folder where all is kept."""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from finewright.lm.chat import Chat
from finewright.lm.example import Example
from finewright.lm.sources import LocalBase
from finewright.schema.train import TrainSettings
from finewright.store.stage import StageContext
from finewright.train.privacy.planned import PrivatePlan
from finewright.train.rewards import Rewards
from finewright.train.schedule import Schedule, schedule_of


@dataclass(frozen=True, slots=True)
class Work:
    """What is to be trained, on what, and where it is kept."""

    context: StageContext
    spec: TrainSettings
    base: LocalBase
    chat: Chat
    rows: Sequence[Example]
    eval_rows: Sequence[Example]
    rewards: Rewards | None = None
    private: PrivatePlan | None = None

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
