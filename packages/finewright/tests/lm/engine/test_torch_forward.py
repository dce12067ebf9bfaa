"""A step's log-probabilities are those of transformers, with an adapter those of PEFT, in whatever cuts."""

from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from kinds import SPECS, adapted, stored
from peft import PeftModel
from torch import Tensor, nn

import tiny
from finewright.lm.engine.forward import BLOCK, Piece
from finewright.lm.engine.torch_forward import TorchForward
from finewright.lm.engine.weights import read_weights
from finewright.lm.model import LM

pytestmark = pytest.mark.torch
# over a block, over the sliding window, and short
ROWS = [row.input_ids for row in tiny.random_rows([BLOCK + 7, 11, 3, 2 * BLOCK], seed=4)]


@torch.no_grad()
def true_logps(model: nn.Module, ids: Sequence[int]) -> Tensor:
    row = torch.tensor([ids])
    output = model(input_ids=row, attention_mask=torch.ones_like(row), use_cache=False)
    return output.logits[0, -len(ids) :].log_softmax(-1)


def logps_in_cuts(
    forward: TorchForward, rows: Sequence[Sequence[int]], keys: Sequence[str | None], cuts: int
) -> list[Tensor]:
    """All tokens' log-probabilities; row i in cuts of `cuts` + i tokens, then its last two one by one."""
    virtual = [forward.num_virtual(key) for key in keys]
    whole = [(0,) * n + tuple(row) for n, row in zip(virtual, rows, strict=True)]
    tables = [tuple(range(1 + 5 * i, 6 + 5 * i)) for i in range(len(rows))]
    at, found = [0] * len(rows), [[] for _ in rows]
    while any(start < len(row) for start, row in zip(at, whole, strict=True)):
        pieces, numbers = [], []
        for i, row in enumerate(whole):
            size = min(cuts + i, len(row) - 2 - at[i]) if at[i] < len(row) - 2 else 1
            new = row[at[i] : at[i] + size]
            if new:
                pieces.append(Piece(new, at[i], tables[i], keys[i], len(new)))
                numbers.append(i)
                at[i] += size
        parts = forward.step(pieces).split([piece.num_logits for piece in pieces])
        for i, part in zip(numbers, parts, strict=True):
            found[i].append(part.log_softmax(-1))
    return [torch.cat(parts)[n:] for parts, n in zip(found, virtual, strict=True)]


def assert_near(found: Sequence[Tensor], true: Sequence[Tensor]) -> None:
    for ours, theirs in zip(found, true, strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-4, rtol=0)


@pytest.mark.parametrize("cuts", [4, 40])
@pytest.mark.parametrize("family", tiny.ALL_FAMILIES)
def test_log_probabilities_are_those_of_transformers(family: str, cuts: int) -> None:
    lm = LM(tiny.tiny_model(family), {})
    assert lm.block_bytes
    found = logps_in_cuts(TorchForward(lm, 32), ROWS, [None] * 4, cuts)
    assert_near(found, [true_logps(tiny.tiny_model(family), row) for row in ROWS])


some_families = pytest.mark.parametrize("family", ["llama", "qwen2", "gemma3_text", "qwen2_moe"])


@some_families
def test_adapters_of_all_kinds_share_a_step(family: str, tmp_path: Path) -> None:
    """With the base among them: each row gets its own adapter's numbers, from PEFT."""
    forward = TorchForward(LM(tiny.tiny_model(family).requires_grad_(False), {}), 64)
    keys, true = [None], [true_logps(tiny.tiny_model(family), ROWS[0])]
    for kind in SPECS:
        folder = stored(adapted(family, kind), kind, tmp_path / kind)
        forward.load(kind, read_weights(folder, forward._lm.model))
        keys.append(kind)
        row = ROWS[len(keys) % 4 - 1]
        peft = PeftModel.from_pretrained(tiny.tiny_model(family), folder).eval()
        true.append(true_logps(peft, row))
    rows = [ROWS[0], *(ROWS[(i + 1) % 4] for i in range(len(SPECS)))]
    assert_near(logps_in_cuts(forward, rows, keys, 5), true)
    for kind in SPECS:
        forward.unload(kind)
    assert_near(logps_in_cuts(forward, ROWS[:1], [None], 5), true[:1])


@some_families
@pytest.mark.parametrize("kind", SPECS)
def test_a_models_own_adapter_is_on(family: str, kind: str, tmp_path: Path) -> None:
    lm = adapted(family, kind)
    folder = stored(lm, kind, tmp_path)
    peft = PeftModel.from_pretrained(tiny.tiny_model(family), folder).eval()
    found = logps_in_cuts(TorchForward(lm, 32), ROWS, [None] * 4, 5)
    assert_near(found, [true_logps(peft, row) for row in ROWS])
