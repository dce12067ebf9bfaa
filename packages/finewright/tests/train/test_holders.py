"""Where an adapter cannot go is said before it is trained, by what those programs' own sources read."""

import pytest

from finewright.schema.adapter import (
    AdapterSpec,
    FullSpec,
    IA3Spec,
    LoraSpec,
    PrefixSpec,
    PromptSpec,
)
from finewright.schema.methods import SFTSpec
from finewright.train.holders import not_in
from finewright.train.support import find_unsupported

ALL_BUT_PEFT = ("vLLM", "llama.cpp", "transformers' pipeline")


@pytest.mark.parametrize(
    ("adapter", "programs"),
    [
        (LoraSpec(), ()),
        (LoraSpec(quantization="nf4", init="pissa"), ()),
        (LoraSpec(use_dora=True), ("vLLM", "llama.cpp")),
        (LoraSpec(use_rslora=True), ("llama.cpp",)),
        (LoraSpec(r=513), ("vLLM",)),
        (LoraSpec(r=257, init="pissa"), ("vLLM",)),  # stored with 514
        (IA3Spec(), ("vLLM", "llama.cpp")),
        (PrefixSpec(), ALL_BUT_PEFT),
        (PromptSpec(), ALL_BUT_PEFT),
        (FullSpec(), ()),
    ],
)
def test_programs_that_cannot_hold_an_adapter_are_named(
    adapter: AdapterSpec, programs: tuple[str, ...]
) -> None:
    assert not_in(adapter) == programs
    notes = [
        p for p in find_unsupported(SFTSpec(adapter=adapter), None) if "is not for" in p.message
    ]
    assert len(notes) == bool(programs)
    assert all(program in note.message for note in notes for program in programs)
    assert all(note.level == "info" for note in notes)
