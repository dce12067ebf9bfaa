"""What a draft model costs, the tokens that a step must give to pay for it, and those that it gives.

    python benchmarks/drafts.py --model smollm2-135m-instruct --draft smollm2-135m-instruct --draft-form nf4
    python benchmarks/random_model.py qwen2.5-1.5b LARGE; python benchmarks/random_model.py qwen2.5-0.5b SMALL
    python benchmarks/drafts.py --model LARGE --draft SMALL --times-alone

Seconds of the processor, the least of some steps. k guesses are k steps of the draft, and a step that checks
them computes k + 1 tokens; both over a plain step is what a step `must give`. Random weights have the times
of true ones, and guesses that say nothing, hence --times-alone."""

import argparse
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from finewright.lm.runtime import share_cores

share_cores()  # as the command line does, before torch is imported

import torch  # noqa: E402

from finewright.lm import sources  # noqa: E402
from finewright.lm.adapters.lora import add_lora  # noqa: E402
from finewright.lm.engine.draft import DraftGuesses, DraftPace  # noqa: E402
from finewright.lm.engine.forward import Forward, Piece  # noqa: E402
from finewright.lm.engine.ready import draft_guesses, ready_forward  # noqa: E402
from finewright.lm.generate import Sampling, stream  # noqa: E402
from finewright.lm.load import load_model  # noqa: E402
from finewright.lm.load_chat import load_chat  # noqa: E402
from finewright.lm.model import LM  # noqa: E402
from finewright.report.text import table  # noqa: E402
from finewright.schema.adapter import LoraSpec  # noqa: E402

QUESTIONS = (
    "What is the capital of France, and what is it known for?",
    "Write a short story about a lighthouse.",
    "Explain to a child why the sky is blue.",
    "Write a Python function that reverses the words of a sentence.",
    "List five ways to save energy at home.",
    "Summarise the plot of Romeo and Juliet.",
)
BEFORE, TOKENS, REPEATS = 128, 100, 7


class Counted(DraftPace):
    """Guesses in every step, and counts what the steps give."""

    wants_guess = True
    num_steps = num_tokens = 0

    def learn(self, *, is_guessed: bool, seconds: float, num_tokens: int) -> None:
        self.num_steps += is_guessed
        self.num_tokens += num_tokens if is_guessed else 0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", required=True)
    parser.add_argument("--draft", required=True)
    parser.add_argument("--draft-form", choices=("none", "int8", "nf4"), default="none")
    parser.add_argument("--times-alone", action="store_true", help="no answers, of random weights")
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    large, small = loaded(options.model, "none"), loaded(options.draft, options.draft_form)
    print_times(large, small)
    if not options.times_alone:
        print_answers(options.model, large, small)


def loaded(name: str, form: str) -> LM:
    model = load_model(sources.locate(name, Path.cwd()), dtype="bf16")
    return LM(model, add_lora(model, LoraSpec(quantization=form), seed=0) if form != "none" else {})


@torch.inference_mode()
def print_times(large: LM, small: LM) -> None:
    models, lines = [ready_forward(lm, BEFORE // 16 + 2).forward for lm in (large, small)], []
    for forward in models:
        seconds_of(forward, BEFORE, start=0)
    plain, guess = (seconds_of(forward, 1) for forward in models)
    for size in (1, 2, 3, 4, 6, 8):
        check = seconds_of(models[0], size + 1)
        must = (check + size * guess) / plain
        lines.append(
            [f"{size}", *(f"{1000 * s:.1f}" for s in (plain, size * guess, check)), f"{must:.2f}"]
        )
    print(table(["guesses", "plain step, ms", "guesses, ms", "check, ms", "must give"], lines))


def seconds_of(forward: Forward, size: int, start: int = BEFORE) -> float:
    """Of a step of so many tokens of one text."""
    piece = Piece((7,) * size, start, tuple(range(forward.num_blocks)), None, size)
    return min(timed(lambda: forward.step([piece])) for _ in range(REPEATS))


def print_answers(name: str, large: LM, small: LM) -> None:
    chat, lines = load_chat(sources.locate(name, Path.cwd())), []
    vocab_size = large.model.get_output_embeddings().weight.shape[0]
    for question in QUESTIONS:
        ids = chat.tokens(chat.prompt([{"role": "user", "content": question}])).ids
        counted, measured = (draft_guesses(small, 1024, vocab_size) for _ in range(2))
        counted.pace = Counted()
        texts, seconds = [], []
        for draft in (None, counted, measured):
            started = time.process_time()
            texts.append(said(large, ids, chat.stop_ids, draft))
            seconds.append(time.process_time() - started)
        assert texts[0] == texts[1] == texts[2]
        gives = counted.pace.num_tokens / max(counted.pace.num_steps, 1)
        lines.append(
            [question[:36], f"{len(texts[0])}", f"{gives:.2f}", *(f"{s:.2f}" for s in seconds)]
        )
    print(
        table(
            ["answer", "tokens", "a step gives", "without, s", "always, s", "as measured, s"], lines
        )
    )


def said(
    lm: LM, ids: Sequence[int], stop_ids: frozenset[int], draft: DraftGuesses | None
) -> list[int]:
    return list(stream(lm, ids, stop_ids=stop_ids, sampling=Sampling(TOKENS), draft=draft))


def timed(work: Callable[[], object]) -> float:
    started = time.process_time()
    work()
    return time.process_time() - started


if __name__ == "__main__":
    main()
