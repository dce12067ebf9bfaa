"""The engine without a server: tokens a second of STREAMS equal questions, each time that a line comes in.

python -m serve_parts.bare MODEL STREAMS TOKENS PROMPT"""

import sys
import time
from pathlib import Path

import torch

from finewright.lm.engine.engine import EngineLimits, GenerationEngine
from finewright.lm.engine.ready import ready_forward
from finewright.lm.engine.requests import GenerationRequest
from finewright.lm.sources import locate, reads_of_files
from finewright.workbench.systems import load_talker


@torch.inference_mode()
def main(model: str, streams: int, tokens: int, prompt: str) -> None:
    """Say when it is loaded, then one speed for each line."""
    loaded = load_talker(model)
    chat = loaded.chat
    ids = tuple(chat.tokens(chat.prompt([{"role": "user", "content": prompt}])).ids)
    forward, own, _ = ready_forward(loaded.lm, 2048)
    size = loaded.lm.model.get_output_embeddings().weight.shape[0]
    context = reads_of_files(locate(model, Path.cwd()))
    limits = EngineLimits(size, context=context, max_running=streams, guess_up_to=1)
    engine = GenerationEngine(forward, limits, own=own)
    print("ready", flush=True)
    for _ in sys.stdin:
        begun = time.monotonic()
        for _stream in range(streams):
            engine.add(GenerationRequest(ids, tokens, stop_ids=chat.stop_ids))
        number = 0
        while engine.has_work:
            number += sum(len(written.tokens) for written in engine.step())
        print(number / (time.monotonic() - begun), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4])
