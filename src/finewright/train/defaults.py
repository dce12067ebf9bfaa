"""Defaults that depend on the model, the data or the machine, each with its reason."""

import math

from finewright.schema.train import SFTSpec

_LORA_RATES = ((1e9, 1e-3), (4e9, 5e-4), (math.inf, 2e-4))


def learning_rate(num_parameters: int) -> tuple[float, str]:
    """LoRA's peak learning rate. Small models and low rank want about ten times the rate of full
    fine-tuning (Schulman et al., "LoRA Without Regret", 2025), less as the model grows."""
    rate = next(rate for limit, rate in _LORA_RATES if num_parameters < limit)
    billions = num_parameters / 1e9
    size = f"{billions:.2g}B" if billions >= 1 else f"{1000 * billions:.0f}M"
    return rate, f"LoRA on a model of {size} parameters"


def save_steps(steps: int) -> tuple[int, str]:
    """Steps between checkpoints."""
    return max(1, math.ceil(steps / 10)), f"ten checkpoints in {steps} steps"


def micro_batch_tokens(on_gpu: bool) -> tuple[int, str]:
    """Tokens computed at once: enough for full-speed matrix products, as activations grow with them."""
    if on_gpu:
        return 16384, "keeps a GPU busy"
    return 1024, "a CPU's matrix products are at full speed from here on, and memory grows with it"


def resolve(
    spec: SFTSpec, *, num_parameters: int, threads: int, fast_bf16: bool, on_gpu: bool
) -> tuple[SFTSpec, dict[str, str]]:
    """Fill what the spec leaves open and facts decide; the filled spec and a reason per filled key."""
    filled: dict[str, object] = {}
    reasons: dict[str, str] = {}
    if spec.learning_rate is None:
        filled["learning_rate"], reasons["learning_rate"] = learning_rate(num_parameters)
    if spec.threads is None:
        filled["threads"], reasons["threads"] = threads, "one per physical core"
    if spec.micro_batch_tokens is None:
        filled["micro_batch_tokens"], reasons["micro_batch_tokens"] = micro_batch_tokens(on_gpu)
    if spec.dtype == "auto":
        filled["dtype"] = "bf16" if fast_bf16 else "fp32"
        reasons["dtype"] = (
            "this device multiplies bfloat16 natively"
            if fast_bf16
            else "bfloat16 would be emulated on this device, slower than fp32"
        )
    return spec.model_copy(update=filled), reasons
