"""A checkpoint of several ranks is written before any of them goes on, or ends."""

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

import tiny
from finewright.conformance.method import KEY
from finewright.lm.adapters.kinds import add_adapter
from finewright.lm.model import LM
from finewright.schema.adapter import LoraSpec
from finewright.train import checkpoint, training
from finewright.train.checkpoint import CheckpointProgress
from finewright.train.ranks import Ranks
from finewright.train.state import make_optimizer
from finewright.train.training import Training, keep

pytestmark = pytest.mark.torch

WAIT_S = 0.3


@dataclass(frozen=True, slots=True)
class Threads(Ranks):
    """Two ranks that are threads of this process."""

    said: dict[int, Any] = field(default_factory=dict)
    all_here: threading.Barrier = field(default_factory=lambda: threading.Barrier(2))

    def gather(self, value: Any) -> list[Any]:
        self.said[self.number] = value
        self.all_here.wait()
        found = [self.said[number] for number in range(self.size)]
        self.all_here.wait()
        return found


def test_a_rank_that_does_not_write_waits_for_the_one_that_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = tiny.tiny_model("llama")
    lm = LM(model, add_adapter(model, LoraSpec(r=2), seed=0))
    method = cast("Any", SimpleNamespace(parameters=list, state=dict))
    optimizer = make_optimizer(lm, method, weight_decay=0.0)
    (tmp_path / "metrics.jsonl").touch()
    left, left_early, save = threading.Event(), [], checkpoint.save

    def save_slowly(*args: Any, **kwargs: Any) -> Path:
        left_early.append(left.wait(WAIT_S))
        return save(*args, **kwargs)

    def run(ranks: Ranks) -> None:
        work = SimpleNamespace(ranks=ranks, folder=tmp_path, context=SimpleNamespace(key=KEY))
        keep(Training(cast("Any", work), lm, method, optimizer, []), CheckpointProgress(3))
        if not ranks.is_first:
            left.set()

    monkeypatch.setattr(training.checkpoint, "save", save_slowly)
    first = Threads(0, 2)
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(run, (first, Threads(1, 2, None, first.said, first.all_here))))
    assert left_early == [False]
    found, _ = checkpoint.latest(tmp_path / "checkpoints", key=KEY)
    assert found is not None
    assert found.progress.step == 3
