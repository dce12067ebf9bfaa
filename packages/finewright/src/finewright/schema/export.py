"""What an export says of itself: files, and how their answers compare with the training's own model."""

from typing import Literal

from finewright.schema.common import Artifact, Model, Problem

Target = Literal["merged", "gguf", "gguf-adapter", "ollama", "vllm", "hub-folder"]
Dtype = Literal["bf16", "fp32"]
Quantization = Literal["f32", "f16", "bf16", "q8_0", "q4_k_m"]


class Tolerance(Model):
    """What is taken for the same model: nats of a token chosen otherwise, and of log-probabilities on
    average; and the share of answers that may part otherwise than at a tie (in old reports any)."""

    gap: float
    logp_mean: float
    parted: float = 1.0

    def beyond(self, rounding: float) -> "Tolerance":
        """Beyond what the model's own answers lie apart from its own choices."""
        return self.model_copy(update={"gap": self.gap + rounding})


class Parity(Model):
    """Greedy answers of the export beside those of the training's own model, to the same prompts.

    `same` of `prompts` answers are token for token the same and end the same way; `ties` others part only at
    tokens within `rounding` of the model's choice, as measured on the same ones. `gap_max` is the farthest
    that a token of the export lies below the model's own choice, `logp_mean` and `logp_max` are differences
    of `compared` tokens' log-probabilities, all in nats. `other_tokens` prompts are cut into other tokens
    by the engine's own tokenizer, `other_renderings` conversations are rendered otherwise by its template.
    The training's own model was computed in `dtype`."""

    engine: str
    prompts: int
    same: int
    ties: int
    rounding: float
    gap_max: float
    logp_mean: float | None
    logp_max: float | None
    compared: int
    other_tokens: int
    other_renderings: int
    tolerance: Tolerance
    dtype: Dtype
    passed: bool
    accepted: str = ""

    @property
    def parted(self) -> int:
        """Answers that are others, and not by a tie."""
        return self.prompts - self.same - self.ties


class ExportReport(Model):
    """The folder, its files, and the comparison; `quantization` is the number format of the weights, empty
    where it is the base model's own."""

    run: str
    base_model: str
    to: Target
    folder: str
    quantization: str = ""
    files: tuple[Artifact, ...]
    parity: Parity
    problems: tuple[Problem, ...] = ()
    use: str
    """The command that loads the folder."""
