"""Memory that 64 streams of 1,024 tokens take beyond the loaded model, and what is announced for them: the
blocks, and what a step holds, which is logits of every stream and some numbers of every token, float32."""

import json
import random
import sys
from pathlib import Path

from finewright.lm.runtime import share_cores

share_cores()  # as the command line does, before torch is imported

import torch  # noqa: E402

from finewright.lm import runtime  # noqa: E402
from finewright.lm.engine.engine import EngineLimits, GenerationEngine  # noqa: E402
from finewright.lm.engine.forward import BLOCK  # noqa: E402
from finewright.lm.engine.ready import ready_forward  # noqa: E402
from finewright.lm.engine.requests import GenerationRequest  # noqa: E402
from finewright.lm.load import load_lm  # noqa: E402
from finewright.lm.sources import LocalBase  # noqa: E402

STREAMS, TOKENS, NEW = 64, 1024, 8

torch.set_num_threads(int(sys.argv[2]))
lm = load_lm(LocalBase("base", Path(sys.argv[1]), "", "unknown"), None, dtype="bf16")
vocab_size = lm.model.get_output_embeddings().weight.shape[0]


def written(num_streams: int, num_blocks: int, length: int) -> int:
    """Tokens that so many streams have read and written."""
    engine = GenerationEngine(
        ready_forward(lm, num_blocks).forward, EngineLimits(vocab_size, max_running=num_streams)
    )
    draw, count = random.Random(0), 0  # noqa: S311 - not a secret
    for _ in range(num_streams):
        prompt = tuple(draw.choices(range(1000, 40000), k=length - NEW))
        engine.add(GenerationRequest(prompt, NEW))
    while engine.has_work:
        count += sum(len(part.tokens) for part in engine.step())
    return count + num_streams * (length - NEW)


written(2, 64, 200)  # what the first step makes once
num_blocks = STREAMS * TOKENS // BLOCK + 1
runtime.forget_peak(give_back=True)
before = runtime.peak_resident_bytes()
tokens = written(STREAMS, num_blocks, TOKENS)
taken = runtime.peak_resident_bytes() - before
config = lm.model.config.get_text_config()
a_token = 4 * config.hidden_size + 2 * config.intermediate_size
step = 4 * (STREAMS * vocab_size + EngineLimits(vocab_size).max_step_tokens * a_token)
announced = num_blocks * lm.block_bytes + step
figures = {"taken_gib": taken / 2**30, "announced_gib": announced / 2**30}
print(json.dumps(figures | {"tokens": tokens}))
