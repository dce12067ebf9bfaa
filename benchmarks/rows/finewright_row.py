"""One row of train_speed.py: finewright's own engine."""

import json
import os
import resource
import sys
from pathlib import Path

job = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
os.environ["OMP_NUM_THREADS"] = str(job["threads"])

from finewright.lm.runtime import fast_bf16, share_cores  # noqa: E402

share_cores()

import torch  # noqa: E402 - the thread count must be set before

from finewright.lm.batch import Encoded  # noqa: E402
from finewright.lm.load import load_model  # noqa: E402
from finewright.lm.lora import add_lora  # noqa: E402
from finewright.lm.model import LM  # noqa: E402
from finewright.lm.sources import BaseModel  # noqa: E402
from finewright.schema.train import LoraSpec, SFTSpec  # noqa: E402
from finewright.train.loop import make_optimizer, train  # noqa: E402
from finewright.train.methods.sft import SFT  # noqa: E402
from finewright.train.schedule import Schedule, schedule_of  # noqa: E402


class InOrder(Schedule):
    """The rows as they come, so that every peer sees the same batches."""

    def _row_at(self, position: int) -> int:
        return position


torch.set_num_threads(job["threads"])
spec = SFTSpec(
    learning_rate=job["learning_rate"],
    lr_scheduler="constant",
    warmup_ratio=0.0,
    batch_size=job["batch_size"],
    max_steps=job["steps"],
)
rows = [Encoded(tuple(r["input_ids"]), tuple(map(bool, r["completion_mask"]))) for r in job["rows"]]
base = BaseModel("benchmark", Path(job["model"]), "", "unknown")
model = load_model(base, dtype="bf16" if fast_bf16() else "fp32")
lm = LM(model, add_lora(model, LoraSpec(), seed=0))
method = SFT()
plan = schedule_of(spec, len(rows))
schedule = InOrder(**{name: getattr(plan, name) for name in Schedule.__slots__})
optimizer = make_optimizer(lm, method, weight_decay=0.0)
steps = list(train(lm, method, rows, schedule, optimizer))
timed = steps[1:]
print(
    json.dumps(
        {
            "tokens_per_second": sum(s.tokens for s in timed) / sum(s.seconds for s in timed),
            "peak_gib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20,
            "losses": [s.loss for s in steps],
            "seconds": [s.seconds for s in steps],
        }
    )
)
