"""What a model is made of, as numbers: read from its config.json, without weights and without torch.

Counted are the parameters of transformers' own modules, which the tests compare one by one. Left out is what
a config may describe beside the language model: vision towers and multi-token prediction heads."""

from collections.abc import Sequence
from dataclasses import dataclass

from finewright.schema.adapter import (
    AdapterSpec,
    FullSpec,
    IA3Spec,
    LoraSpec,
    PrefixSpec,
    PromptSpec,
)

# Families in which (IA)3 rescales queries in the place of keys; see lm/adapters/ia3.py.
_QUERIES = ("gemma", "gemma2", "gemma3_text", "qwen2", "qwen3")


@dataclass(frozen=True, slots=True)
class Linear:
    """A linear layer that can take an adapter and be quantised; `name` is its module's last name."""

    name: str
    inputs: int
    outputs: int
    bias: bool = False

    @property
    def weights(self) -> int:
        """Numbers in its matrix."""
        return self.inputs * self.outputs

    @property
    def parameters(self) -> int:
        """With its bias."""
        return self.weights + (self.outputs if self.bias else 0)


@dataclass(frozen=True, slots=True)
class Experts:
    """The routed experts of a layer: gated MLPs of one width whose weights lie in common tensors.

    They take no adapter and are never quantised here. `used` of `count` compute a token."""

    count: int
    used: int
    inputs: int
    width: int
    is_biased: bool = False

    @property
    def each(self) -> int:
        """Numbers of one expert."""
        biases = 2 * self.width + self.inputs if self.is_biased else 0
        return 3 * self.inputs * self.width + biases

    @property
    def router(self) -> int:
        """Numbers of what chooses among them."""
        return self.count * (self.inputs + self.is_biased)

    @property
    def parameters(self) -> int:
        """Of all of them with their router."""
        return self.count * self.each + self.router

    @property
    def active(self) -> int:
        """Of those that compute a token, with the router."""
        return self.used * self.each + self.router


@dataclass(frozen=True, slots=True)
class LayerKind:
    """Decoder layers that are made alike: how many, their linears, the widths of their norms, their experts.

    `head_norms` normalise each head of queries and keys apart; `sinks` are numbers of attention alone."""

    count: int
    linears: tuple[Linear, ...]
    norms: tuple[int, ...]
    head_norms: tuple[int, ...] = ()
    experts: Experts | None = None
    sinks: int = 0

    @property
    def inner(self) -> int:
        """The width of its dense gated product; 0 where it has experts alone."""
        return max((on.inputs for on in self.linears if on.name == "down_proj"), default=0)

    @property
    def active_inner(self) -> int:
        """The same, with the experts that compute a token."""
        return self.inner + (self.experts.used * self.experts.width if self.experts else 0)

    @property
    def parameters(self) -> int:
        """Of one such layer."""
        own = sum(linear.parameters for linear in self.linears)
        experts = self.experts.parameters if self.experts else 0
        return own + sum(self.norms) + sum(self.head_norms) + self.sinks + experts

    @property
    def active(self) -> int:
        """Of one such layer, those that compute a token."""
        unused = self.experts.parameters - self.experts.active if self.experts else 0
        return self.parameters - unused

    def targets_in_layer(self, targets: str | Sequence[str]) -> list[Linear]:
        """The linears that an adapter stands on: all, or those whose name is among `targets`."""
        if targets == "all-linear":
            return list(self.linears)
        names = {target.rpartition(".")[2] for target in targets}
        return [linear for linear in self.linears if linear.name in names]


@dataclass(frozen=True, slots=True)
class ModelShape:
    """A decoder language model as numbers.

    `key_width` and `value_width` are what a query head and what its value has; a latent model (MLA) keeps
    `latent` numbers a token and layer in place of keys and values where a cache is made for it."""

    family: str
    hidden: int
    vocabulary: int
    heads: int
    kv_heads: int
    key_width: int
    value_width: int
    tied: bool
    context: int | None
    layers: tuple[LayerKind, ...]
    softcapped: bool = False
    latent: int = 0

    @property
    def num_layers(self) -> int:
        """All decoder layers."""
        return sum(kind.count for kind in self.layers)

    @property
    def embedding(self) -> int:
        """Numbers of the embedding, and of the head where it has its own."""
        return self.vocabulary * self.hidden * (1 if self.tied else 2)

    @property
    def parameters(self) -> int:
        """All."""
        return (
            self.embedding + self.hidden + sum(kind.count * kind.parameters for kind in self.layers)
        )

    @property
    def active(self) -> int:
        """Those that compute a token: of a mixture the experts that are chosen, else all."""
        return self.parameters - sum(
            kind.count * (kind.parameters - kind.active) for kind in self.layers
        )

    @property
    def computing(self) -> int:
        """Those that are multiplied for each token: the active ones, the embedding's look-up not counted."""
        return self.active - self.vocabulary * self.hidden * (0 if self.tied else 1)

    @property
    def linear(self) -> int:
        """Numbers in the matrices that can be quantised."""
        return sum(kind.count * linear.weights for kind in self.layers for linear in kind.linears)

    @property
    def is_mixture(self) -> bool:
        """Whether it has experts."""
        return any(kind.experts for kind in self.layers)

    @property
    def cache_per_token(self) -> int:
        """Numbers that keys and values of a token take, in all layers."""
        return self.num_layers * self.kv_heads * (self.key_width + self.value_width)

    @property
    def served_cache_per_token(self) -> int:
        """Numbers that an engine which keeps the latent of MLA holds for a token, in all layers."""
        return self.num_layers * self.latent if self.latent else self.cache_per_token

    @property
    def attention(self) -> int:
        """Numbers that a token's queries meet for each earlier token, keys and values, in all layers."""
        return self.num_layers * self.heads * (self.key_width + self.value_width)

    def find_targets(self, targets: str | Sequence[str]) -> list[tuple[int, Linear]]:
        """(how many, which linear) that an adapter stands on, in all layers."""
        return [
            (kind.count, linear)
            for kind in self.layers
            for linear in kind.targets_in_layer(targets)
        ]

    def on_adapters(self, adapter: AdapterSpec) -> list[tuple[int, Linear]]:
        """The linears that this adapter stands on; none for virtual tokens and full fine-tuning."""
        match adapter:
            case LoraSpec():
                return self.find_targets(adapter.target_modules)
            case IA3Spec():
                return self.find_targets(self._find_rescaled(adapter))
            case PrefixSpec() | PromptSpec() | FullSpec():
                return []

    def trainable(self, adapter: AdapterSpec) -> int:
        """Numbers that learn with this adapter."""
        match adapter:
            case LoraSpec():
                return sum(
                    count * (adapter.r * (on.inputs + on.outputs) + on.outputs * adapter.use_dora)
                    for count, on in self.on_adapters(adapter)
                )
            case IA3Spec():
                inner = adapter.feedforward_modules or ("down_proj",)
                return sum(
                    count * (on.inputs if on.name in inner else on.outputs)
                    for count, on in self.on_adapters(adapter)
                )
            case PrefixSpec():
                return adapter.num_virtual_tokens * self.cache_per_token
            case PromptSpec():
                return adapter.num_virtual_tokens * self.hidden
            case FullSpec():
                return self.parameters

    def _find_rescaled(self, adapter: IA3Spec) -> tuple[str, ...]:
        if adapter.target_modules is not None:
            return adapter.target_modules
        names = {linear.name for kind in self.layers for linear in kind.linears}
        if self.family in _QUERIES:
            return ("q_proj", "v_proj", "down_proj")
        kept = next(
            keys
            for keys in (("k_proj", "v_proj"), ("qkv_proj",), ("kv_b_proj",))
            if names >= set(keys)
        )
        return (*kept, "down_proj")
