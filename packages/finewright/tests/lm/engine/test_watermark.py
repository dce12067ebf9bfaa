"""The mark: what is green, how evidence is counted, and that answers have it and texts do not."""

import itertools
import math
from fractions import Fraction
from random import Random

import pytest
import torch

from finewright.lm.engine.requests import TokenSampling
from finewright.lm.engine.sampling import RowSampling, choose
from finewright.lm.engine.watermark import Watermark

pytestmark = pytest.mark.torch
MARK = Watermark(0x1234_5678_9ABC_DEF0)


def test_a_share_of_the_tokens_is_green_anew_after_each_token_and_with_each_key() -> None:
    masks = [MARK.green(before, 20_000) for before in range(50)]
    shares = torch.stack(masks).float().mean(1)
    assert shares.mean().item() == pytest.approx(0.25, abs=0.003)
    assert (shares - 0.25).abs().max().item() < 5 * math.sqrt(0.25 * 0.75 / 20_000)
    # independent: two masks agree on both being green as often as chance has it
    for one, two in ((masks[0], masks[1]), (masks[3], Watermark(7).green(3, 20_000))):
        assert (one & two).float().mean().item() == pytest.approx(1 / 16, abs=0.008)
    assert torch.equal(MARK.green(4, 20_000)[:100], MARK.green(4, 100))


def test_evidence_counts_each_pair_once_and_p_is_the_binomials() -> None:
    rng = Random(1)  # noqa: S311 - no secret
    tokens = [rng.randrange(300) for _ in range(120)]
    found = MARK.evidence(tokens)
    pairs = {(a, b) for a, b in itertools.pairwise(tokens)}
    assert (found.pairs, found) == (len(pairs), MARK.evidence(tokens))
    assert found.greens == sum(bool(MARK.green(a, 300)[b]) for a, b in pairs)
    assert found.z == pytest.approx(
        (found.greens - len(pairs) / 4) / math.sqrt(len(pairs) * 3 / 16)
    )
    exact = sum(
        math.comb(found.pairs, k) * Fraction(1, 4) ** k * Fraction(3, 4) ** (found.pairs - k)
        for k in range(found.greens, found.pairs + 1)
    )
    assert found.p == pytest.approx(float(exact), rel=1e-9)
    again = MARK.evidence([*tokens, tokens[-2], tokens[-1]] * 3)
    assert again.pairs <= found.pairs + 3
    with pytest.raises(ValueError, match="shows nothing"):
        MARK.evidence([5])


def write(sampling: TokenSampling, num: int = 200) -> list[int]:
    """Tokens of logits that are drawn by chance, the same each time."""
    row, tokens = RowSampling.of(sampling, 0, [3]), [3]
    for at in range(num):
        logits = torch.randn(1, 500, generator=torch.Generator().manual_seed(at))
        token = choose(logits, [row], [None])[0].token
        row.add(token)
        tokens.append(token)
    return tokens


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_an_answer_of_200_tokens_has_the_mark_and_is_the_same_each_time(temperature: float) -> None:
    plain = TokenSampling(temperature=temperature, seed=5)
    marked = TokenSampling(temperature=temperature, seed=5, watermark=MARK)
    assert MARK.evidence(write(marked)).z >= 4
    assert MARK.evidence(write(plain)).z < 4
    assert Watermark(1).evidence(write(marked)).z < 4
    assert write(marked) == write(marked) != write(plain)


def test_a_form_holds_though_nothing_green_fits_it() -> None:
    row = RowSampling.of(TokenSampling(watermark=MARK), 0, [3])
    allowed = torch.zeros(500, dtype=torch.bool)
    red = int((~MARK.green(3, 500)).nonzero()[0])
    allowed[red] = True
    assert choose(torch.zeros(1, 500), [row], [allowed])[0].token == red


def test_logits_that_others_see_are_not_changed() -> None:
    logits = torch.randn(1, 500, generator=torch.Generator().manual_seed(1))
    before = logits.clone()
    choose(logits, [RowSampling.of(TokenSampling(watermark=MARK), 0, [3])], [None])
    assert torch.equal(logits, before)
