"""New tokens a second, greedy, with transformers' own generation."""

import json
import sys
import time
from pathlib import Path

from finewright.lm.runtime import share_cores

share_cores()  # as the command line does, before torch is imported

import torch  # noqa: E402
from job import peak_gib  # noqa: E402

from finewright.lm.load import load_model  # noqa: E402
from finewright.lm.sources import LocalBase  # noqa: E402

job = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
torch.set_num_threads(job["threads"])
model = load_model(LocalBase("base", Path(job["model"]), "", "unknown"), dtype="bf16")


@torch.inference_mode()
def seconds_of(prompts: list[list[int]], new_tokens: int) -> float:
    longest = max(map(len, prompts))
    ids = torch.tensor([[0] * (longest - len(p)) + p for p in prompts])
    mask = torch.tensor([[0] * (longest - len(p)) + [1] * len(p) for p in prompts])
    started = time.perf_counter()
    model.generate(
        input_ids=ids,
        attention_mask=mask,
        max_new_tokens=new_tokens,
        min_new_tokens=new_tokens,
        do_sample=False,
    )
    return time.perf_counter() - started


seconds_of(job["prompts"][:2], 2)
speeds = {
    str(size): size * job["new_tokens"] / seconds_of(job["prompts"][:size], job["new_tokens"])
    for size in job["batches"]
}
print(json.dumps(speeds | {"peak_gib": peak_gib()}))
