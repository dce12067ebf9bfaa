"""The `train` section of the spec, and the report of the train stage."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from finewright.schema.common import Artifact, Model, Problem, RowCounts, default

Quantization = Literal["none", "nf4", "int8"]


class LoraSpec(Model):
    """Low-rank adapter (Hu et al. 2021, arXiv:2106.09685): W + alpha/r * B A, W frozen."""

    type: Literal["lora"] = "lora"
    r: int = default(16, "Rank", "enough for behaviour and format; knowledge needs more", gt=0)
    alpha: int = default(32, "Scale numerator: the delta is alpha/r * B A", "twice the rank", gt=0)
    dropout: float = default(
        0.0, "Dropout before A", "short runs do not need it, and it costs speed", ge=0.0, lt=1.0
    )
    target_modules: Literal["all-linear"] | tuple[str, ...] = default(
        "all-linear",
        "Which linear layers get an adapter: all but the head, or names such as q_proj",
        "adapting all linear layers matches full fine-tuning best (Dettmers et al. 2023)",
    )
    quantization: Quantization = default(
        "none",
        "QLoRA: the linear weights under the adapter are kept in 4 (nf4) or 8 bits while training, all "
        "else as it is; the adapter is an ordinary one, and is measured and used on the whole base",
        "needed only where the model's memory does not fit: it costs speed and a little loss",
    )
    use_dora: bool = default(
        False,
        "DoRA (Liu et al. 2024, arXiv:2402.09353): the magnitude of each weight row is trained too",
        "costs speed and memory; helps most at low rank",
    )
    use_rslora: bool = default(
        False,
        "rsLoRA (Kalajdzievski 2023, arXiv:2312.03732): alpha/sqrt(r) in place of alpha/r",
        "alpha/r is the usual scale; it is too small only at high rank",
    )


class SFTSpec(Model):
    """Supervised fine-tuning: the loss is the mean negative log-likelihood of assistant tokens."""

    method: Literal["sft"] = default("sft", "Training method", "the data are demonstrations")
    adapter: LoraSpec = default(
        LoraSpec(), "What is trained", "LoRA trains about 1 % of the weights"
    )
    learning_rate: float | None = default(
        None, "Peak learning rate", "chosen by adapter and model size", gt=0.0, lt=1.0
    )
    epochs: float = default(
        3.0, "Passes over the rows", "small sets need a few looks at each row", gt=0.0
    )
    max_steps: int | None = default(
        None, "Stop after this many optimiser steps", "epochs decide", gt=0
    )
    batch_size: int = default(
        8, "Rows per optimiser step and accumulation part", "steady for small sets", gt=0
    )
    batch_tokens: int | None = default(
        None,
        "Tokens per optimiser step and accumulation part, in place of batch_size rows",
        "batch_size counts rows",
        gt=0,
    )
    gradient_accumulation: int = default(
        1, "Batches summed before one optimiser step", "one batch is one step", gt=0
    )
    micro_batch_tokens: int | None = default(
        None,
        "Tokens computed at once; a larger batch runs in parts, with the same loss",
        "as many as the device needs to be busy",
        gt=0,
    )
    memory: Literal["fast", "lean"] = default(
        "fast",
        "lean keeps only each layer's input and computes the layer again in the backward pass",
        "recomputing costs about a third of the speed",
    )
    max_length: int = default(1024, "Longest row in tokens", "fits most chat rows", gt=1)
    on_overlong: Literal["error", "truncate", "drop"] = default(
        "error",
        "What happens to rows longer than max_length",
        "no row is cut or lost unless you say so",
    )
    warmup_ratio: float = default(
        0.05, "Share of the steps that warm the learning rate up", "calms Adam's start", ge=0, le=1
    )
    lr_scheduler: Literal["cosine", "linear", "constant"] = default(
        "cosine", "Shape of the learning rate after warm-up", "ends near zero, so no noise remains"
    )
    weight_decay: float = default(0.0, "AdamW's decay", "LoRA factors are small already", ge=0.0)
    max_grad_norm: float = default(1.0, "Gradients are clipped to this norm", "the usual", gt=0.0)
    seed: int = default(0, "Seed of order, initialisation and dropout", "any fixed number")
    dtype: Literal["auto", "bf16", "fp32"] = default(
        "auto", "Number format of the frozen weights and activations", "bf16 where it is fast"
    )
    save_steps: int | None = default(
        None, "Optimiser steps between checkpoints", "ten checkpoints a run", gt=0
    )
    threads: int | None = default(None, "CPU threads", "one per physical core", gt=0)

    @model_validator(mode="after")
    def _one_size(self) -> Self:
        if self.batch_tokens is not None and "batch_size" in self.model_fields_set:
            raise ValueError("batch_size and batch_tokens both set the size of a batch; keep one")
        return self


TrainSpec = Annotated[SFTSpec, Field(description="How to train.")]


class Candidate(Model):
    """One base model trained by one TrainSpec."""

    base_model: str
    base_sha256: str
    adapter: str
    artifacts: tuple[Artifact, ...]
    counts: RowCounts
    steps: int
    tokens: int
    trained_tokens: int
    first_loss: float
    final_loss: float
    eval_loss: float | None = None
    seconds: float
    tokens_per_second: float
    peak_gib: float
    trainable_parameters: int
    problems: tuple[Problem, ...] = ()


class TrainReport(Model):
    """The trained candidates."""

    candidates: tuple[Candidate, ...]
