"""What every training method has in the `train` section of the spec, and the train stage's report."""

from collections.abc import Iterator
from typing import Annotated, Any, ClassVar, Literal, NamedTuple, Self

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer, model_validator

from finewright.schema.adapter import AdapterSpec, LoraSpec
from finewright.schema.common import Artifact, Model, Problem, RowCounts, default, without
from finewright.schema.decisions import WORDS_FILE
from finewright.schema.differential_privacy import DifferentialPrivacySpec, PrivacySpent

Takes = Literal["conversations", "pairs", "judged answers", "prompts", "conversations or prompts"]
"""What a method learns from: the rows that it takes as they are."""


OWN_BACKEND = "finewright"
"""The name of our own loop among backends."""


def title_of(base_model: str, backend: str) -> str:
    """What a trained model is called beside others: its base, and who trained it where not finewright."""
    return base_model if backend == OWN_BACKEND else f"{base_model} by {backend}"


class RateShare(NamedTuple):
    """The share of the learning rate that demonstrations bear, and why a method bears less."""

    share: float
    why: str


def textless(settings: "TrainSettings") -> str:
    """Why what they train cannot be asked for text; empty where it can."""
    if not settings.gives_answers:
        return "a reward model rates answers and writes none"
    if not settings.writes_text:
        linear = "linear " if settings.on_features else ""
        return f"a {linear}model of labels writes no text"
    return ""


def hub_task(settings: "TrainSettings") -> str:
    """The task of the hub that what they train does; a reward model counts as a classifier there."""
    return "text-classification" if textless(settings) else "text-generation"


class TrainSettings(Model):
    """What every method has; a subclass is a method, whose name is the default of `method`."""

    code: ClassVar[str]
    """The "module:Class" of its `train.loop.Method`, which is made with these settings and a `Setup`."""
    takes: ClassVar[Takes] = "conversations"
    rate: ClassVar[RateShare] = RateShare(1.0, "")
    gives_answers: ClassVar[bool] = True
    """What it trains talks; else it rates, by a score head that is the method's one parameter."""
    has_value_head: ClassVar[bool] = False
    decides: ClassVar[bool] = False
    """What it trains gives one of the training rows' labels, with a probability (`decisions.json`)."""
    writes_text: ClassVar[bool] = True
    """What it trains is a language model still; else labels are all that it gives."""
    on_features: ClassVar[bool] = False
    """Its base models are no language models but features of a text: see `labels.features`."""
    unread: ClassVar[frozenset[str]] = frozenset()
    """Keys of these settings that it has no use for; whoever sets one is told."""
    by_rows: ClassVar[bool] = False
    """Its loss is a mean over rows, each of which it knows alone (`row_losses`): what privacy can clip."""
    one_pass: ClassVar[bool] = False
    """It runs one pass of the model for each batch, or as many on each rank: what a base in shards needs."""

    method: str
    adapter: AdapterSpec = default(
        LoraSpec(), "What is trained", "LoRA trains about 1 % of the weights"
    )
    learning_rate: float | None = default(
        None, "Peak learning rate", "chosen by method, adapter and model size", gt=0.0, lt=1.0
    )
    epochs: float = default(
        3.0, "Passes over the rows", "small sets need a few looks at each row", gt=0.0, le=10_000.0
    )
    max_steps: int | None = default(
        None, "Stop after this many optimiser steps", "epochs decide", gt=0
    )
    minutes: float | None = default(
        None,
        "About how long to train, in minutes of this machine; fewer steps are taken where not all fit",
        "epochs or max_steps decide",
        gt=0,
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
    max_length: int = default(
        1024, "Longest row in tokens", "fits most chat rows", gt=1, le=2**31 - 1
    )
    on_overlong: Literal["error", "truncate", "drop"] = default(
        "error",
        "What happens to rows longer than max_length",
        "no row is cut or lost unless you say so",
    )
    warmup_ratio: float = default(
        0.05, "Share of the steps that warm the learning rate up", "calms Adam's start", ge=0, le=1
    )
    lr_scheduler: Literal["cosine", "linear", "constant"] = default(
        "cosine",
        "Shape of the learning rate after warm-up",
        "ends near zero, so that the last steps settle",
    )
    weight_decay: float = default(
        0.0,
        "AdamW's decay of matrices; vectors, such as norms and biases, have none",
        "LoRA factors are small already",
        ge=0.0,
    )
    max_grad_norm: float = default(1.0, "Gradients are clipped to this norm", "the usual", gt=0.0)
    seed: int = default(0, "Seed of order, initialisation and dropout", "any fixed number")
    dtype: Literal["auto", "bf16", "fp32"] = default(
        "auto", "Number format of the frozen weights and activations", "bf16 where it is fast"
    )
    save_steps: int | None = default(
        None, "Optimiser steps between checkpoints", "ten checkpoints a run", gt=0
    )
    eval_steps: int | None = default(
        None,
        "Optimiser steps between two looks at the held-out rows (data.eval_fraction, held_out sources)",
        "ten looks a run, where rows are held out",
        gt=0,
    )
    early_stopping: int | None = default(
        None,
        "Stop after this many looks in a row without a better held-out loss, and keep the best",
        "a run takes the steps it was given",
        gt=0,
    )
    keep: Literal["last", "best+last"] = default(
        "last",
        "Which checkpoints stay: the last ones, or the best by held-out loss too, which then is the result",
        "without held-out rows nobody knows the best",
    )
    prove_elsewhere: bool = default(
        True,
        "After training, let plain transformers and PEFT give one short answer in another process, from a"
        " copy of the result's folder, and compare it with finewright's",
        "shows that others get the same answer and that it ends; takes some seconds",
    )
    threads: Annotated[int, Field(gt=0)] | Literal["auto"] | None = default(
        None,
        "CPU threads; auto: as many as cores are free when the run is locked, which the lock then says",
        "one per physical core",
    )
    backend: str = default(
        OWN_BACKEND,
        "Who trains: finewright, or another framework on the same rows in an environment of its own, such as"
        " trl; its adapter is taken back",
        "one loop for all methods, measured against the others",
        min_length=1,
    )
    privacy: DifferentialPrivacySpec | None = default(
        None,
        "Differential privacy of the training rows",
        "it costs quality, so whoever promises it asks for it",
    )

    @property
    def stated_threads(self) -> int | None:
        """The threads that the spec names; None where the machine decides."""
        return None if self.threads == "auto" else self.threads

    @property
    def base_key(self) -> str:
        """The key by which each step asks what the base would have done; empty where none does."""
        return ""

    def without_effect(self) -> Iterator[Problem]:
        """What is said of keys that the method has no use for as they are set; the method says which."""
        yield from ()

    @model_validator(mode="after")
    def _one_size(self) -> Self:
        if self.batch_tokens is not None and "batch_size" in self.model_fields_set:
            raise ValueError("batch_size and batch_tokens both set the size of a batch; keep one")
        return self

    @model_serializer(mode="wrap")
    def _leave_out_unread(
        self, write: SerializerFunctionWrapHandler
    ) -> dict[str, Any]:  # Any: JSON
        """All keys but a batch_size that nothing reads: what was written is read again, as in a lock."""
        fields: dict[str, Any] = without(write(self), self.unread)
        if self.batch_tokens is not None:
            fields.pop("batch_size", None)
        return fields


class Proof(Model):
    """Something that was measured of the stored result, loaded afresh, and the bar it had to keep to."""

    name: str
    measured: float
    bar: float
    passed: bool
    detail: str = ""


class Candidate(Model):
    """One base model trained by one TrainSpec. `adapter` is the folder of what was trained: an adapter, or
    with `train.adapter.type: none` the whole model. `base_revision` is the commit of a model of the hub."""

    base_model: str
    base_sha256: str
    base_origin: str = ""
    """What others call the base: a hub id, or the name of a folder."""
    base_license: str = "unknown"
    base_revision: str = ""
    method: str = "sft"
    backend: str = OWN_BACKEND
    adapter: str
    artifacts: tuple[Artifact, ...]
    counts: RowCounts
    steps: int
    tokens: int
    trained_tokens: int
    first_loss: float | None
    """None where nothing was trained: the adapters of two runs were merged."""
    final_loss: float | None
    final_metrics: dict[str, float] = Field(default_factory=dict)
    best_step: int | None = None
    eval_loss: float | None = None
    eval_metrics: dict[str, float] = Field(default_factory=dict)
    seconds: float
    tokens_per_second: float
    peak_gib: float
    trainable_parameters: int
    privacy: PrivacySpent | None = None
    proofs: tuple[Proof, ...] = ()
    problems: tuple[Problem, ...] = ()

    @property
    def title(self) -> str:
        """What it is called beside others."""
        return title_of(self.base_model, self.backend)

    @property
    def keeps_words(self) -> bool:
        """Whether words of the training rows stand in a file of its own."""
        return any(each.path.endswith(f"/{WORDS_FILE}") for each in self.artifacts)


class TrainReport(Model):
    """The trained candidates."""

    candidates: tuple[Candidate, ...]
