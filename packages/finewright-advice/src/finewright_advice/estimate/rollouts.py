"""How long a policy samples the answers that it learns from, on one GPU.

The answers of a step are sampled at once: the prompts are read by their arithmetic (each once, whatever the
number of its answers), then every token of the longest answer is a step that reads the weights and all
caches, and starts the kernels of every layer (a roofline, as estimate/serving.py has it, beside those
starts). Nobody measured this on a GPU here: the shares of the peaks are wide, and so are the lengths of
answers."""

from dataclasses import dataclass

from finewright.estimate.shape import ModelShape
from finewright.schema.catalog import GPU
from finewright.schema.cost import Range
from finewright_advice.estimate.serving import RequestWork, Speeds, prompt_seconds, step_seconds

MEAN_ANSWER = Range(low=0.3, median=0.65, high=1.0)
"""Of the most tokens that an answer may have."""
_LONGEST_ANSWER = Range(low=0.6, median=1.0, high=1.0)
_FLOPS = Range(low=0.2, median=0.35, high=0.5)
_BYTES = Range(low=0.3, median=0.5, high=0.75)
# Forward alone, without a gradient; the middle was chosen on LitGPT's 31 tokens/s of a 7B on an A100.
_START_SECONDS = Range(low=0.2e-3, median=0.5e-3, high=1.2e-3)


@dataclass(frozen=True, slots=True)
class RolloutLoad:
    """What is sampled: in so many steps, `prompts` at once with `answers` to each; tokens of a prompt, and
    the most of an answer; bytes of a number, and of the weights."""

    steps: int
    prompts: float
    answers: int
    prompt_tokens: float
    max_new_tokens: int
    number: int
    weight_bytes: float


def sampling_hours(shape: ModelShape, sampling: RolloutLoad, gpu: GPU) -> Range:
    """Hours of sampling alone."""
    most, at_once = sampling.max_new_tokens, sampling.prompts * sampling.answers
    context = sampling.prompt_tokens + most / 2
    work = RequestWork(
        prompt_flops=2
        * (shape.computing + shape.attention * sampling.prompt_tokens / 2)
        * sampling.prompt_tokens,
        step_flops=2.0 * (shape.computing + shape.attention * context),
        cache_bytes=sampling.number * context * shape.cache_per_token,
        weight_bytes=lambda _: sampling.weight_bytes,
        out_tokens=most,
    )

    def seconds(flops: float, read: float, longest: float, start: float) -> float:
        speeds = Speeds(gpu.training_tflops * 1e12 * flops, gpu.memory_bandwidth_gb_s * 1e9 * read)
        step = step_seconds(work, speeds, at_once) + shape.num_layers * start
        return sampling.prompts * prompt_seconds(work, speeds) + longest * most * step

    longest, start, hours = _LONGEST_ANSWER, _START_SECONDS, sampling.steps / 3600
    return Range(
        low=hours * seconds(_FLOPS.high, _BYTES.high, longest.low, start.low),
        median=hours * seconds(_FLOPS.median, _BYTES.median, longest.median, start.median),
        high=hours * seconds(_FLOPS.low, _BYTES.low, longest.high, start.high),
    )
