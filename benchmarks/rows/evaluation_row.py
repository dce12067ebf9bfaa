"""Seconds that a run's evaluation takes: base and tuned on every row set, loading apart.

Also of the code of an earlier commit, where that is on PYTHONPATH."""

import json
import sys
import time
from contextlib import nullcontext
from pathlib import Path

from finewright.lm.runtime import share_cores

share_cores()  # as the command line does, before torch is imported

import torch  # noqa: E402

from finewright.compare.local import answered_batches  # noqa: E402
from finewright.compare.models import LoadedModel  # noqa: E402
from finewright.data.gather import read_row_set  # noqa: E402
from finewright.evaluate.measured import RowSet, settings_of  # noqa: E402
from finewright.lm.load import load_lm  # noqa: E402
from finewright.lm.load_chat import load_chat  # noqa: E402
from finewright.lm.sources import LocalBase  # noqa: E402
from finewright.schema.evaluate import EvaluateSpec  # noqa: E402

job = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
torch.set_num_threads(job["threads"])
base = LocalBase("base", Path(job["model"]), "", "unknown")
lm = load_lm(base, Path(job["adapter"]), dtype="bf16")
subject = LoadedModel("tuned", lm, load_chat(base))
spec = EvaluateSpec.model_validate(job["evaluate"])
sets = [
    RowSet(each["path"], read_row_set(Path(each["path"]), None).rows[: each.get("limit")])
    for each in job["evaluate"]["data"]
]


def evaluate() -> int:
    """Tokens of all answers."""
    count = 0
    for is_base in (True, False):
        with lm.reference() if is_base else nullcontext():
            for row_set in sets:
                missing = set(range(len(row_set.rows)))
                for batch in answered_batches(subject, row_set, settings_of(spec), missing):
                    count += sum(answer.sample.num_tokens or 0 for answer in batch.answers)
    return count


started, begun = time.perf_counter(), time.process_time()
tokens = evaluate()
seconds, cpu = time.perf_counter() - started, time.process_time() - begun
print(json.dumps({"seconds": seconds, "cpu_s": cpu, "tokens": tokens}))
