"""Which programs can hold which adapter, known before it is trained.

Read on 2026-11-27 in the programs' own sources: vLLM's lora/peft_helper.py and config/lora.py, llama.cpp's
convert_lora_to_gguf.py, and transformers 5.23's integrations/peft.py, by which `pipeline` loads adapters.
What they do later is not known here; transformers with PEFT's own classes, and finewright, hold all kinds."""

from collections.abc import Iterator

from finewright.schema.adapter import AdapterSpec, LoraSpec
from finewright.schema.common import Problem

_VLLM, _LLAMA_CPP, _PIPELINE = "vLLM", "llama.cpp", "transformers' pipeline"
_VLLM_RANK = 512
_NOT_IN = {
    "ia3": (_VLLM, _LLAMA_CPP),
    "prefix": (_VLLM, _LLAMA_CPP, _PIPELINE),
    "prompt": (_VLLM, _LLAMA_CPP, _PIPELINE),
}


def not_in(adapter: AdapterSpec) -> tuple[str, ...]:
    """The programs that cannot hold such an adapter as it is."""
    if not isinstance(adapter, LoraSpec):
        return _NOT_IN.get(adapter.type, ())
    if adapter.use_dora:
        return _VLLM, _LLAMA_CPP
    return (_VLLM,) * (rank_to_store(adapter) > _VLLM_RANK) + (_LLAMA_CPP,) * adapter.use_rslora


def rank_to_store(adapter: LoraSpec) -> int:
    """PiSSA's change is stored as an ordinary LoRA of twice the rank, with rsLoRA's scale of four times."""
    if adapter.init != "pissa":
        return adapter.r
    return (4 if adapter.use_rslora else 2) * adapter.r


def note_holders(adapter: AdapterSpec) -> Iterator[Problem]:
    """A note where some program cannot hold the adapter."""
    if programs := not_in(adapter):
        *first, last = programs
        yield Problem(
            level="info",
            key="train.adapter",
            message=f"this kind of adapter is not for {', '.join(first)}{' or ' if first else ''}{last};"
            " finewright, and transformers with PEFT, can use it",
            hint="plain lora goes everywhere; docs/adapters.md has the table",
        )
