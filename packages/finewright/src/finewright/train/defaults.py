"""Defaults that depend on the method, the model, the data or the machine, each with its reason."""

import math

from finewright.schema.adapter import AdapterSpec
from finewright.schema.train import TrainSettings
from finewright.schema.train_section import METHODS

_LORA_RATES = ((1e9, 1e-3), (4e9, 5e-4), (math.inf, 2e-4))
_FULL_SHARE = 0.02
_VIRTUAL_RATES = {"prefix": 1e-2, "prompt": 3e-2, "ia3": 1e-2}


def learning_rate(num_parameters: int, adapter: AdapterSpec, method: str) -> tuple[float, str]:
    """Peak learning rate. Small models and low rank want about ten times or more of the rate of full
    fine-tuning (Schulman et al., "LoRA Without Regret", 2025), less as the model grows; virtual tokens and
    scales want more, as there are few of them (the papers of each train at 1e-2 to 0.3)."""
    rate = next(rate for limit, rate in _LORA_RATES if num_parameters < limit)
    billions = num_parameters / 1e9
    size = f"{billions:.2g}B" if billions >= 1 else f"{1000 * billions:.0f}M"
    reason = f"LoRA on a model of {size} parameters"
    if adapter.type == "none":
        rate, reason = rate * _FULL_SHARE, f"all weights of a model of {size} parameters"
    elif adapter.type != "lora":
        rate = _VIRTUAL_RATES[adapter.type]
        reason = f"{adapter.type} trains few numbers, which bear large steps"
    share, why = METHODS[method].rate
    rate = float(f"{rate * share:.3g}")
    return rate, f"{reason}; {share:g} of that, because {why}" if why else reason


def save_steps(steps: int) -> tuple[int, str]:
    """Steps between checkpoints."""
    return max(1, math.ceil(steps / 10)), f"ten checkpoints in {steps} steps"


def eval_steps(steps: int) -> tuple[int, str]:
    """Steps between looks at the held-out rows."""
    return max(1, math.ceil(steps / 10)), f"ten looks in {steps} steps"


def micro_batch_tokens(on_gpu: bool) -> tuple[int, str]:
    """Tokens computed at once: enough for full-speed matrix products, as activations grow with them."""
    if on_gpu:
        return 16384, "keeps a GPU busy"
    return 1024, "a CPU's matrix products are at full speed from here on, and memory grows with it"


def resolve(
    spec: TrainSettings, *, num_parameters: int, threads: int, fast_bf16: bool, on_gpu: bool
) -> tuple[TrainSettings, dict[str, str]]:
    """Fill what the spec leaves open and facts decide; the filled spec and a reason per filled key."""
    filled: dict[str, object] = {}
    reasons: dict[str, str] = {}
    if spec.learning_rate is None:
        filled["learning_rate"], reasons["learning_rate"] = learning_rate(
            num_parameters, spec.adapter, spec.method
        )
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
