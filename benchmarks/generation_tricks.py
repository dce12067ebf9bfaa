"""What each trick of the generation engine is worth: each workload with the trick and without, in one run.

    python benchmarks/generation_tricks.py --threads 1 --cpu-time      # also beside other work; 3 minutes

Repeats alternate, and the fastest of each counts. With --cpu-time seconds are those of the processor, which
other processes do not lengthen; with one thread they are the time that the work takes on a quiet core."""

import argparse
import random
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import NamedTuple
from unittest.mock import patch

from finewright.lm.runtime import share_cores

share_cores()  # as the command line does, before torch is imported

import torch  # noqa: E402

from finewright.lm import generate as generation  # noqa: E402
from finewright.lm import sources  # noqa: E402
from finewright.lm.adapters.lora import add_lora  # noqa: E402
from finewright.lm.chat import Chat  # noqa: E402
from finewright.lm.engine.blocks import BlockPool  # noqa: E402
from finewright.lm.engine.constraint import Grammars, schema_grammar  # noqa: E402
from finewright.lm.engine.engine import EngineLimits, GenerationEngine  # noqa: E402
from finewright.lm.engine.ready import ReadyForward, ready_forward  # noqa: E402
from finewright.lm.engine.requests import GenerationRequest, TokenSampling  # noqa: E402
from finewright.lm.engine.torch_forward import TorchForward  # noqa: E402
from finewright.lm.engine.weights import weights_of  # noqa: E402
from finewright.lm.load import load_model  # noqa: E402
from finewright.lm.load_chat import load_chat  # noqa: E402
from finewright.lm.model import LM  # noqa: E402
from finewright.report.text import table  # noqa: E402
from finewright.schema.adapter import LoraSpec  # noqa: E402

QUOTE = (
    "Repeat this text word for word:\nThe invoice of 12 March lists a desk lamp (EUR 49.90), a standing"
    " desk (EUR 512.00) and a chair (EUR 233.50). Harbour Lane Studios Ltd pays within 30 days."
)
STORY = "Write a short story about a lighthouse."
SCHEMA = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "year": {"type": "integer"}},
    "required": ["name", "year"],
}


class Workload(NamedTuple):
    """The same work with a trick and without it."""

    trick: str
    work: str
    with_it: Callable[[], object]
    without: Callable[[], object]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="smollm2-135m-instruct")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--cpu-time", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    clock = time.process_time if options.cpu_time else time.perf_counter
    base = sources.locate(options.model, Path.cwd())
    lines = []
    for workload in workloads(LM(load_model(base, dtype="bf16"), {}), load_chat(base)):
        seconds: tuple[list[float], list[float]] = ([], [])
        for _ in range(options.repeats):
            for kept, run in zip(seconds, (workload.with_it, workload.without), strict=True):
                started = clock()
                run()
                kept.append(clock() - started)
        fast, slow = (min(kept) for kept in seconds)
        line = [workload.trick, workload.work, f"{fast:.2f}", f"{slow:.2f}", f"{slow / fast:.2f}"]
        print(*line, sep=" | ", flush=True)
        lines.append(line)
    print(table(["trick", "work", "with, s", "without, s", "times"], lines))


def workloads(lm: LM, chat: Chat) -> Iterator[Workload]:
    yield from of_steps(lm)
    yield from of_sharing(lm)
    rng = random.Random(0)  # noqa: S311
    prompts = random_prompts(lm, 32, 80)
    limits = [rng.randrange(4, 96) for _ in prompts]
    yield Workload(
        "the next begins when one ends",
        "32 answers of 4 to 95 tokens, 8 at a time",
        lambda: answers(lm, prompts, limits, 8),
        lambda: in_eights(lm, prompts, limits),
    )
    for name, question in (("a quote", QUOTE), ("a story", STORY)):
        ids = chat.tokens(chat.prompt([{"role": "user", "content": question}])).ids
        yield Workload(
            "guesses from the text", f"{name}, 100 tokens", *guessed(lm, ids, chat.stop_ids)
        )
    yield from of_adapters(lm)
    yield from of_forms(lm, chat)


def of_steps(lm: LM) -> Iterator[Workload]:
    for number in (1, 8, 32):
        prompts = random_prompts(lm, number, 80)
        run = partial(answers, lm, prompts, [32] * len(prompts), 64)
        yield Workload(
            "the native step",
            f"{number} x 32 tokens to prompts of 80",
            run,
            without_kernels(lm, run),
        )


def of_sharing(lm: LM) -> Iterator[Workload]:
    head = random_prompts(lm, 1, 160)[0]
    prompts = [head + tail for tail in random_prompts(lm, 16, 40)]
    yield Workload(
        "blocks that prompts have alike",
        "16 prompts of 200 tokens, 160 alike, 16 new ones",
        lambda: answers(lm, prompts, [16] * 16, 16),
        unshared(lambda: answers(lm, prompts, [16] * 16, 16)),
    )
    same = [prompt for prompt in random_prompts(lm, 4, 80) for _ in range(8)]
    # each prompt ends in another limit, so that none is the same request
    apart = [16 + i % 8 for i in range(32)]
    mean = [16 + 3] * 32
    yield Workload(
        "answers from one prompt's computation",
        "4 prompts of 80 with 8 answers each",
        lambda: answers(lm, same, mean, 32),
        unshared(lambda: answers(lm, same, apart, 32)),
    )


def of_adapters(lm: LM) -> Iterator[Workload]:
    def run(num_adapters: int) -> None:
        engine.renew()
        for i, prompt in enumerate(random_prompts(lm, 16, 20)):
            engine.add(GenerationRequest(tuple(prompt), 32, adapter=str(i % num_adapters)))
        finish(engine)

    engine = engine_of(lm)
    for number in range(8):
        engine.load(str(number), weights_of(add_lora(fresh(lm), LoraSpec(), seed=number)))
    yield Workload(
        "one adapter in place of eight", "16 x 32 tokens", lambda: run(1), lambda: run(8)
    )


def of_forms(lm: LM, chat: Chat) -> Iterator[Workload]:
    vocab = lm.model.get_output_embeddings().weight.shape[0]
    grammars = Grammars(chat.tokenizer, vocab, chat.stop_ids)
    grammars.begin(schema_grammar(SCHEMA))

    def run(*, is_held: bool) -> None:
        engine = engine_of(lm, grammars)
        for prompt in random_prompts(lm, 8, 20):
            grammar = schema_grammar(SCHEMA) if is_held else None
            # the same number of tokens: nothing ends an answer
            asked = GenerationRequest(tuple(prompt), 32, TokenSampling(), grammar=grammar)
            engine.add(asked)
        finish(engine)

    yield Workload(
        "no schema in place of one",
        "8 x 32 tokens",
        lambda: run(is_held=False),
        lambda: run(is_held=True),
    )


def fresh(lm: LM) -> torch.nn.Module:
    """The model again, for adapters to be drawn on."""
    config = lm.model.config
    with torch.device("cpu"):
        model: torch.nn.Module = type(lm.model)(config).to(lm.model.dtype)
    return model


def random_prompts(lm: LM, number: int, length: int) -> list[list[int]]:
    rng = random.Random(number)  # noqa: S311
    most = min(40_000, lm.model.config.vocab_size)
    return [[rng.randrange(5, most) for _ in range(length)] for _ in range(number)]


def in_eights(lm: LM, prompts: Sequence[Sequence[int]], limits: Sequence[int]) -> None:
    for i in range(0, len(prompts), 8):
        answers(lm, prompts[i : i + 8], limits[i : i + 8], 8)


def answers(lm: LM, prompts: Sequence[Sequence[int]], limits: Sequence[int], at_once: int) -> None:
    sampling = generation.Sampling(max_new_tokens=max(limits))
    with patch.object(generation, "_GUESS_UP_TO", 0):
        for _ in generation.each_answer(
            lm,
            prompts,
            stop_ids=frozenset(),
            sampling=sampling,
            limits=limits,
            max_running=at_once,
        ):
            pass


def guessed(
    lm: LM, prompt: Sequence[int], stop_ids: frozenset[int]
) -> tuple[Callable[[], None], Callable[[], None]]:
    sampling = generation.Sampling(max_new_tokens=100)

    def run(up_to: int) -> None:
        with patch.object(generation, "_GUESS_UP_TO", up_to):
            list(generation.stream(lm, prompt, stop_ids=stop_ids, sampling=sampling))

    return lambda: run(1), lambda: run(0)


def unshared(run: Callable[[], None]) -> Callable[[], None]:
    def without() -> None:
        with patch.object(BlockPool, "found", lambda *_: []):
            run()

    return without


def without_kernels(lm: LM, run: Callable[[], None]) -> Callable[[], None]:
    def without() -> None:
        with by_torch(lm):
            run()

    return without


@contextmanager
def by_torch(lm: LM) -> Iterator[None]:
    with patch(
        "finewright.lm.generate.ready_forward",
        lambda lm, num_blocks: ReadyForward(TorchForward(lm, num_blocks), None, is_exact=False),
    ):
        yield


def engine_of(lm: LM, grammars: Grammars | None = None) -> GenerationEngine:
    vocab = lm.model.get_output_embeddings().weight.shape[0]
    return GenerationEngine(ready_forward(lm, 400).forward, EngineLimits(vocab, grammars=grammars))


def finish(engine: GenerationEngine) -> None:
    while engine.has_work:
        engine.step()


if __name__ == "__main__":
    main()
