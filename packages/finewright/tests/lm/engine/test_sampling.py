"""Tokens are chosen as transformers' own processors would have it, by numbers of the row's own."""

from random import Random

import pytest
import torch
from torch import Tensor
from transformers import (
    LogitsProcessorList,
    MinPLogitsWarper,
    RepetitionPenaltyLogitsProcessor,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)

from finewright.lm.engine.requests import TokenSampling
from finewright.lm.engine.sampling import RowSampling, choose, highest_of, logprobs_of

pytestmark = pytest.mark.torch
V = 1500  # more than the candidates that are looked at first


def logits_of(rows: int, *, scale: float = 3.0) -> Tensor:
    return scale * torch.randn(rows, V, generator=torch.Generator().manual_seed(1))


def shares(wishes: TokenSampling, logits: Tensor, draws: int = 4000) -> Tensor:
    """How often each token of one row is drawn."""
    found = torch.zeros(V)
    rows = [RowSampling.of(wishes, k, ()) for k in range(100)]
    for _ in range(draws // 100):
        for token, _ in choose(logits.expand(100, -1), rows, [None] * 100):
            found[token] += 1
    return found / draws


WISHES = {
    "plain": (TokenSampling(temperature=0.7, seed=1), [TemperatureLogitsWarper(0.7)]),
    "top_k": (
        TokenSampling(temperature=1.2, top_k=9, seed=2),
        [TemperatureLogitsWarper(1.2), TopKLogitsWarper(9)],
    ),
    "top_p": (TokenSampling(temperature=1.0, top_p=0.8, seed=3), [TopPLogitsWarper(0.8)]),
    "both": (
        TokenSampling(temperature=1.0, top_k=30, top_p=0.6, seed=4),
        [TopKLogitsWarper(30), TopPLogitsWarper(0.6)],
    ),
    "min_p": (TokenSampling(temperature=1.0, min_p=0.2, seed=5), [MinPLogitsWarper(0.2)]),
}


@pytest.mark.parametrize("scale", [3.0, 0.3])  # of which the flatter outgrows the candidates
@pytest.mark.parametrize("name", WISHES)
def test_the_distribution_is_that_of_transformers(name: str, scale: float) -> None:
    wishes, processors = WISHES[name]
    logits = logits_of(1, scale=scale)
    true = LogitsProcessorList(processors)(torch.zeros(1, 1, dtype=torch.long), logits)
    true = true.softmax(-1)[0]
    found = shares(wishes, logits)
    assert set(found.nonzero().flatten().tolist()) <= set(true.nonzero().flatten().tolist())
    likeliest = true.topk(5).indices
    error = (true * (1 - true) / 4000).sqrt()
    assert ((found - true).abs() <= 4.5 * error + 1e-6)[likeliest].all()


def test_a_row_is_drawn_alike_in_any_company() -> None:
    logits = logits_of(8)
    wishes = [WISHES[name][0] for name in WISHES] + [TokenSampling(), *[WISHES["both"][0]] * 2]

    def drawn(which: list[int]) -> dict[int, list[int]]:
        rows = [RowSampling.of(wishes[i], i, ()) for i in which]
        steps = [choose(logits[which], rows, [None] * len(which)) for _ in range(20)]
        return {i: [step[k].token for step in steps] for k, i in enumerate(which)}

    together = drawn(list(range(8)))
    assert all(drawn([i]) == {i: together[i]} for i in range(8))
    assert together[6] != together[7]


def test_penalties_and_bias_are_those_of_their_definitions() -> None:
    logits = logits_of(1)
    prompt, answer = (3, 3, 9), (9, 20, 20)
    wishes = TokenSampling(
        repetition_penalty=1.7, presence_penalty=0.5, frequency_penalty=0.25, logit_bias={7: 90.0}
    )
    row = RowSampling(wishes, Random(0), frozenset(prompt))  # noqa: S311 - no secret
    row.written.update(answer)
    changed = logits[0].clone()
    row.weigh(changed)
    ids = torch.tensor([[*prompt, *answer]])
    true = RepetitionPenaltyLogitsProcessor(1.7)(ids, logits.clone())[0]
    true[9] -= 0.5 + 0.25
    true[20] -= 0.5 + 2 * 0.25
    true[7] += 90
    torch.testing.assert_close(changed, true)
    before = logits.clone()
    assert choose(logits, [row], [None])[0].token == 7
    assert torch.equal(logits, before)


def test_what_is_not_allowed_is_never_chosen() -> None:
    logits = logits_of(3)
    allowed = torch.zeros(V, dtype=torch.bool)
    allowed[[4, 5]] = True
    hot = RowSampling.of(TokenSampling(temperature=9.0), 0, ())
    cold = RowSampling.of(TokenSampling(), 0, ())
    found = choose(logits, [hot, cold, cold], [allowed, allowed, torch.zeros_like(allowed)])
    assert found[0].token in {4, 5}
    assert found[1].token == (4 if logits[1, 4] > logits[1, 5] else 5)
    assert found[2].error == "no token is allowed"


@pytest.mark.parametrize("odd", [float("nan"), float("inf")])
def test_a_row_without_numbers_says_so(odd: float) -> None:
    logits = logits_of(2)
    logits[0, 5] = odd
    rows = [RowSampling.of(TokenSampling(temperature=heat), 0, ()) for heat in (1.0, 0.0)]
    first, second = choose(logits, rows, [None, None])
    assert first.error == "the model's logits are not finite"
    assert (second.token, second.error) == (int(logits[1].argmax()), "")


def test_log_probabilities_of_a_token_and_the_likeliest() -> None:
    row = logits_of(1)[0]
    true = row.log_softmax(-1)
    found = logprobs_of(row, 17, 2)
    assert found.logp == pytest.approx(float(true[17]))
    assert [token for token, _ in found.likeliest] == true.topk(2).indices.tolist()


@pytest.mark.parametrize("wishes", [{}, {"top_p": 0.9}, {"min_p": 0.1}])
def test_almost_no_heat_is_the_likeliest_token(wishes: dict[str, float]) -> None:
    logits = logits_of(2, scale=300)
    rows = [RowSampling.of(TokenSampling(temperature=1e-39, **wishes), i, ()) for i in (0, 1)]
    found = [each.token for each in choose(logits, rows, [None, None])]
    assert found == logits.argmax(-1).tolist()


@pytest.mark.parametrize("width", [5, 256, 257, 700])
def test_the_highest_logit_is_the_first_of_equal_ones(width: int) -> None:
    logits = torch.randint(0, 9, (40, width + 3), generator=torch.Generator().manual_seed(0))
    logits = logits.float()[:, :width]
    logits[1, width - 1] = float("nan")
    highest, likeliest = highest_of(logits)
    first = [row.index(max(row)) for row in logits[2:].tolist()]
    assert likeliest[2:].tolist() == first
    assert torch.equal(highest[2:], logits[2:].amax(-1))
    assert highest[1].isnan()
