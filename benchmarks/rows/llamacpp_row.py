"""New tokens a second, greedy, with llama.cpp's server inside this process; runs in its own Python."""

import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median
from typing import Any

import xllamacpp

job = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
most, longest = max(job["batches"]), max(map(len, job["prompts"]))


def server() -> Any:
    parameters = xllamacpp.CommonParams()
    parameters.model.path = job["gguf"]
    parameters.n_parallel = most
    parameters.n_ctx = most * (longest + job["new_tokens"] + 16)
    parameters.cpuparams.n_threads = job["threads"]
    parameters.cpuparams_batch.n_threads = job["threads"]
    parameters.cache_prompt = False  # an answer may not profit from the batch before
    return xllamacpp.Server(parameters)


def complete(prompt: list[int], new_tokens: int = job["new_tokens"]) -> int:
    asked = {"prompt": prompt, "n_predict": new_tokens, "temperature": 0}
    answer = llama.handle_completions(asked | {"ignore_eos": True, "cache_prompt": False})
    return int(answer["usage"]["completion_tokens"])


llama = server()
complete(job["prompts"][0])
figures: dict[str, float] = {}
for size in job["batches"]:
    with ThreadPoolExecutor(size) as pool:
        started = time.perf_counter()
        tokens = sum(pool.map(complete, job["prompts"][:size]))
        figures[str(size)] = tokens / (time.perf_counter() - started)
with ThreadPoolExecutor(8) as pool:
    started = time.perf_counter()
    ends = pool.map(lambda p: complete(p, 1) and time.perf_counter(), job["prompts"][:8])
    figures["first_token_s"] = median(ends) - started
status = Path("/proc/self/status").read_text(encoding="utf-8")
line = next(line for line in status.splitlines() if line.startswith("VmHWM"))
print("\n" + json.dumps(figures | {"peak_gib": int(line.split()[1]) / 2**20}), flush=True)
