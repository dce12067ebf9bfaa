"""What is typed after `finewright export`."""

from pathlib import Path
from typing import Annotated

from finewright.schema.export import Quantization, Target
from finewright.schema.options import CommandOptions, OneBaseModel, RunPath, option


class ExportOptions(CommandOptions):
    """A run, what it is to become, and how closely that is compared."""

    run: RunPath
    to: Target = option(..., "What to write.")
    quantize: Quantization | None = option(
        None,
        "Number format of the weights: any for gguf and ollama (default: f16, or f32 of a base in float32),"
        " of the base for gguf-adapter, f32, f16 or bf16 for merged (default: the base's own).",
    )
    out: Path | None = option(None, "The new folder; default: the run's name and the target.")
    prompts: int = option(50, "Prompts that are asked of both.", ge=1, le=1000)
    max_new_tokens: int = option(32, "Longest answer in tokens.", ge=1)
    max_parted: float | None = option(
        None,
        "Most answers that may part from the training's own model otherwise than at a tie, as a share of all;"
        " default: 0.1, of q4_k_m 0.5.",
        ge=0,
        le=1,
    )
    accept: Annotated[str, "reason"] = option(
        "", "Publish beyond the tolerance too, with this reason, which is recorded."
    )
    base_model: OneBaseModel = ""
