"""Targets that a model does not have, and ranks that its layers cannot have, by hand-counted sizes."""

import pytest

from finewright.estimate.fit import misfits
from finewright.estimate.shape import Linear
from finewright.schema.adapter import IA3Spec, LoraSpec, PromptSpec

# 2 layers of queries 48 x 48 and of keys 16 x 48 (outputs x inputs)
LINEARS = [(2, Linear("q_proj", 48, 48)), (2, Linear("k_proj", 48, 16))]


def test_a_rank_that_no_layer_can_have_is_refused_with_what_it_would_cost() -> None:
    (problem,) = misfits(LoraSpec(r=60_000), LINEARS)
    assert (problem.level, problem.key) == ("error", "train.adapter.r")
    # 60000 x 4 bytes x 2 x ((48 + 48) + (48 + 16)) = 76.8 MB = 0.07 GiB
    assert problem.message == (
        "r is 60000, and no targeted layer can have a rank above 48 (q_proj 48 x 48); the adapter would hold"
        " 0.1 GiB"
    )


def test_a_rank_that_some_layers_cannot_have_is_a_warning() -> None:
    (problem,) = misfits(LoraSpec(r=17), LINEARS)
    assert problem.level == "warning"
    assert "2 of the 4 targeted layers can have (least: k_proj 16 x 48)" in problem.message
    assert "at most 16" in problem.hint


@pytest.mark.parametrize("r", [1, 16])
def test_a_rank_that_all_layers_can_have_is_well(r: int) -> None:
    assert misfits(LoraSpec(r=r), LINEARS) == []


def test_only_targeted_layers_count() -> None:
    assert misfits(LoraSpec(r=48, target_modules=("self_attn.q_proj",)), LINEARS) == []
    assert misfits(LoraSpec(r=17, target_modules=("k_proj",)), LINEARS)[0].level == "error"


@pytest.mark.parametrize("kind", [LoraSpec, IA3Spec])
def test_a_target_that_is_no_layer_is_refused_with_near_names(
    kind: type[LoraSpec | IA3Spec],
) -> None:
    (problem,) = misfits(kind(target_modules=("q_proj", "kproj")), LINEARS)
    assert (problem.level, problem.key) == ("error", "train.adapter.target_modules")
    assert problem.message == "no linear layer is named 'kproj'"
    assert problem.hint == "did you mean 'k_proj'? this model has k_proj, q_proj"


def test_virtual_tokens_need_no_layer() -> None:
    assert misfits(PromptSpec(), LINEARS) == []
