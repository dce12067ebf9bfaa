"""New tokens a second, greedy, with finewright's generation or transformers' own; or many answers."""

import json
import sys
import time
from pathlib import Path

from finewright.lm.runtime import share_cores

share_cores()  # as the command line does, before torch is imported

import torch  # noqa: E402
from job import peak_gib  # noqa: E402

from finewright.lm.adapters.lora import add_lora  # noqa: E402
from finewright.lm.generate import Sampling, each_answer, generate  # noqa: E402
from finewright.lm.load import load_model  # noqa: E402
from finewright.lm.model import LM  # noqa: E402
from finewright.lm.sources import LocalBase  # noqa: E402
from finewright.schema.adapter import LoraSpec  # noqa: E402
from finewright.schema.evaluate import EvaluateSpec  # noqa: E402

job = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
engine = sys.argv[2]
torch.set_num_threads(job["threads"])
model = load_model(LocalBase("base", Path(job["model"]), "", "unknown"), dtype="bf16")


def finewrights(prompts: list[list[int]], new_tokens: int) -> None:
    generate(lm, prompts, stop_ids=frozenset(), sampling=Sampling(max_new_tokens=new_tokens))


@torch.inference_mode()
def transformers_own(prompts: list[list[int]], new_tokens: int) -> None:
    longest = max(map(len, prompts))
    ids = torch.tensor([[0] * (longest - len(p)) + p for p in prompts])
    mask = torch.tensor([[0] * (longest - len(p)) + [1] * len(p) for p in prompts])
    model.generate(
        input_ids=ids,
        attention_mask=mask,
        max_new_tokens=new_tokens,
        min_new_tokens=new_tokens,
        do_sample=False,
    )


def seconds_of(prompts: list[list[int]]) -> float:
    started = time.perf_counter()
    run(prompts, job["new_tokens"])
    return time.perf_counter() - started


run = transformers_own
if engine != "transformers":
    lm = LM(model, add_lora(model, LoraSpec(), seed=0))
    run = finewrights
    lm.model.eval()
figures: dict[str, float] = {}
run(job["prompts"][:2], 2)
if engine == "answers":
    size = EvaluateSpec.model_fields["batch_size"].default
    prompts = sorted(job["prompts"], key=len, reverse=True)
    sampling = Sampling(max_new_tokens=job["new_tokens"])
    started = time.perf_counter()
    for _ in each_answer(lm, prompts, stop_ids=frozenset(), sampling=sampling, max_running=size):
        pass
    figures["seconds"] = time.perf_counter() - started
    figures["prompt_tokens"] = sum(map(len, prompts))
else:
    for size in job["batches"]:
        prompts = job["prompts"][:size]
        figures[str(size)] = size * job["new_tokens"] / seconds_of(prompts)
print(json.dumps(figures | {"peak_gib": peak_gib()}))
