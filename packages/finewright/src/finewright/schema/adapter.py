"""The `train.adapter` section of the spec: which weights learn."""

from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BeforeValidator, Field, create_model

from finewright.schema.common import Model, default

Quantization = Literal["none", "nf4", "int8"]
Targets = Literal["all-linear"] | tuple[str, ...]


class AdapterSettings(Model):
    """What every kind has."""

    @property
    def continues(self) -> bool:
        """Whether the parent's own adapter is trained further."""
        return bool(getattr(self, "continue", False))


if TYPE_CHECKING:

    class _Continuing(AdapterSettings):
        """With `continue`."""
else:  # its key is a word of Python's
    _CONTINUE = default(
        False,
        "Where the base model is a run: train its adapter further, with the settings that it has; else a new "
        "adapter learns beside it, which stays as it is",
        "what the parent learned is not changed",
    )
    _Continuing = create_model(
        "_Continuing", __base__=AdapterSettings, **{"continue": (bool, _CONTINUE)}
    )


class LoraSpec(_Continuing):
    """Low-rank adapter (Hu et al. 2021, arXiv:2106.09685): W + alpha/r * B A, W frozen."""

    type: Literal["lora"] = default("lora", "Kind of adapter", "about 1 % of the weights learn")
    r: int = default(
        16, "Rank", "enough for behaviour and format; knowledge needs more", gt=0, le=65_536
    )
    alpha: int = default(32, "Scale numerator: the delta is alpha/r * B A", "twice the rank", gt=0)
    dropout: float = default(
        0.0, "Dropout before A", "short runs do not need it, and it costs speed", ge=0.0, lt=1.0
    )
    target_modules: Targets = default(
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
    init: Literal["kaiming", "pissa"] = default(
        "kaiming",
        "First values of A and B: random and zero, or PiSSA's (Meng et al. 2024, arXiv:2404.02948), "
        "the weight's r largest singular directions",
        "kaiming starts from the base itself; PiSSA may learn faster, and costs an SVD of every weight",
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


class IA3Spec(_Continuing):
    """(IA)3 (Liu et al. 2022, arXiv:2205.05638): keys (or queries, as PEFT has it for Qwen and Gemma), values
    and feed-forward inputs are rescaled."""

    type: Literal["ia3"] = "ia3"
    target_modules: tuple[str, ...] | None = default(
        None, "Linear layers that are rescaled", "the family's, as PEFT has them"
    )
    feedforward_modules: tuple[str, ...] | None = default(
        None, "Of these, the ones whose input is rescaled", "the family's down projections"
    )
    quantization: Quantization = default(
        "none", "Bits of the weights under the adapter while training", "only memory asks for it"
    )


class PrefixSpec(_Continuing):
    """Prefix tuning (Li & Liang 2021, arXiv:2101.00190): learned keys and values before each row."""

    type: Literal["prefix"] = "prefix"
    num_virtual_tokens: int = default(20, "Length of the prefix", "PEFT's usual", gt=0, le=1024)
    quantization: Literal["none"] = default(
        "none", "Bits of the frozen weights", "no linear is wrapped"
    )


class PromptSpec(_Continuing):
    """Prompt tuning (Lester et al. 2021, arXiv:2104.08691): learned embeddings before each row."""

    type: Literal["prompt"] = "prompt"
    num_virtual_tokens: int = default(
        20, "Length of the soft prompt", "PEFT's usual", gt=0, le=1024
    )
    init_text: str = default(
        "", "Text whose embeddings are the first values", "random words of the vocabulary"
    )
    quantization: Literal["none"] = default(
        "none", "Bits of the frozen weights", "no linear is wrapped"
    )


class FullSpec(AdapterSettings):
    """No adapter: every weight of the model learns."""

    type: Literal["none"] = "none"
    quantization: Literal["none"] = default("none", "Bits of the weights", "they all learn")


def _lora_unless_said(value: Any) -> Any:  # Any: not validated yet
    return {"type": "lora", **value} if isinstance(value, dict) and "type" not in value else value


AdapterSpec = Annotated[
    LoraSpec | IA3Spec | PrefixSpec | PromptSpec | FullSpec,
    Field(discriminator="type"),
    BeforeValidator(_lora_unless_said),
]
