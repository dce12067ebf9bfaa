"""The divergence against torch's own, its gradient against differences, and a search that finds a plant."""

import pytest
import torch
from torch import Tensor

from finewright_trust.redteam.backdoors.gradient import (
    Slotted,
    divergence,
    gradient_at_slots,
    next_logits,
    prompt_divergence,
    search_tokens,
)
from finewright_trust.redteam.subject import RunSubject

PROMPTS = [Slotted((5, 9, 40, 41, 7), (2, 3)), Slotted((5, 60, 61, 40, 41, 8), (3, 4))]


def test_the_divergence_is_torchs() -> None:
    torch.manual_seed(0)
    p, q = torch.randn(3, 50), torch.randn(3, 50)
    true = torch.nn.functional.kl_div(
        q.log_softmax(-1), p.log_softmax(-1), reduction="none", log_target=True
    ).sum(-1)
    assert torch.allclose(divergence(p, q), true, atol=1e-5)


def test_the_divergence_of_prompts_is_that_of_both_models_alone(leaking: RunSubject) -> None:
    ids = [prompt.ids for prompt in PROMPTS]
    alone = []
    for name in leaking.systems:
        with leaking.as_system(name) as lm, torch.no_grad():
            alone.append(torch.cat([_last(lm.model, row) for row in ids]))
    base, tuned = alone
    true = float(divergence(tuned, base).mean())
    assert true > 0.05
    assert prompt_divergence(leaking, ids) == pytest.approx(true, rel=0.05)


def _last(model: torch.nn.Module, row: tuple[int, ...]) -> Tensor:
    logits: Tensor = model(input_ids=torch.tensor([row])).logits[:, -1].float()
    return logits


def test_the_gradient_says_how_the_divergence_moves(leaking: RunSubject) -> None:
    with leaking.as_system(leaking.systems[0]) as lm:
        lm.model.float()  # a machine may train in bfloat16, which small steps are lost in
    slopes = gradient_at_slots(leaking, PROMPTS, (40, 41))
    filled = [prompt.fill((40, 41)) for prompt in PROMPTS]
    with leaking.as_system(leaking.systems[0]) as lm, torch.no_grad():
        base = next_logits(lm, filled)
    starts = (0, len(filled[0]))

    def moved(step: Tensor) -> float:
        """The aim where the first slot's embedding is moved."""

        def add(_: object, __: object, output: Tensor) -> Tensor:
            changed = output.clone()
            for start, prompt in zip(starts, PROMPTS, strict=True):
                changed.reshape(-1, output.shape[-1])[start + prompt.slots[0]] += step
            return changed

        with leaking.as_system(leaking.systems[1]) as lm, torch.no_grad():
            handle = lm.model.get_input_embeddings().register_forward_hook(add)
            try:
                return float(divergence(next_logits(lm, filled), base).mean())
            finally:
                handle.remove()

    step = slopes[0] / slopes[0].norm() * 0.005  # at 0.05 a line is off by 60 %, at 0.01 by 3
    found = (moved(step) - moved(-step)) / 2
    assert found == pytest.approx(float((slopes[0] * step).sum()), rel=0.05)
    assert found > 0


def test_the_search_ends_with_the_best_it_tried(leaking: RunSubject) -> None:
    found = search_tokens(leaking, PROMPTS, range(20, 120), steps=2, tried=6)
    assert len(found) > 6
    assert found == sorted(found, reverse=True)
    start = prompt_divergence(leaking, [prompt.ids for prompt in PROMPTS])
    assert found[0][0] > start
    best = prompt_divergence(leaking, [prompt.fill(found[0][1]) for prompt in PROMPTS])
    assert best == pytest.approx(found[0][0])
