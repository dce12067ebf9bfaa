"""What the base gives is computed once, as training will see it, and found again by a run taken up."""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from torch import Tensor

import referee
import tiny
from finewright.lm.adapters.lora import add_lora
from finewright.lm.batch import split, sums_of
from finewright.lm.example import EncodedRow, Example
from finewright.lm.model import LM
from finewright.schema.adapter import LoraSpec
from finewright.train.references import References

pytestmark = pytest.mark.torch

ROWS = tiny.random_rows([9, 4, 14, 7, 3, 11])
GROUPS = [tuple(ROWS[:2]), tuple(ROWS[2:4]), tuple(ROWS[4:])]
KEY = "a" * 64
CPU = torch.device("cpu")


def adapted(seed: int = 0) -> LM:
    model = tiny.tiny_model("llama", seed=seed)
    return LM(model, referee.random_adapters(model))


def computed(references: References, lm: LM, groups: Sequence[tuple[EncodedRow, ...]]) -> Tensor:
    references.compute(lm, [groups], None)
    return references.of(groups, CPU)


@pytest.mark.parametrize("max_tokens", [None, 15, 1])
def test_they_are_the_sums_of_the_base(max_tokens: int | None) -> None:
    references = References()
    references.compute(adapted(), [GROUPS[:2], GROUPS[2:]], max_tokens)
    base = tiny.tiny_model("llama")
    with torch.no_grad():
        true = torch.stack([referee.logps(base, [row]).sum() for row in ROWS])
    assert torch.allclose(references.of(GROUPS, CPU), true, rtol=1e-5)


@pytest.mark.parametrize("max_tokens", [None, 15, 1])
def test_they_are_bitwise_what_an_adapter_gives_that_does_nothing_yet(
    max_tokens: int | None,
) -> None:
    model = tiny.tiny_model("llama")
    lm = LM(model, add_lora(model, LoraSpec(r=4), seed=0))
    references = References()
    references.compute(lm, [GROUPS], max_tokens)
    for part in split([Example(group) for group in GROUPS], max_tokens):
        batch = lm.pack([example.sequences for example in part])
        sums = sums_of(lm.token_logps(batch), batch)
        assert torch.equal(sums, references.of([e.sequences for e in part], CPU))


def test_what_is_known_is_not_computed_again() -> None:
    references = References()
    first = computed(references, adapted(), GROUPS)
    assert torch.equal(computed(references, adapted(seed=1), GROUPS), first)


@pytest.mark.parametrize("max_tokens", [None, 15])
def test_a_step_of_known_rows_needs_no_model(max_tokens: int | None) -> None:
    """The second epoch, or a run taken up."""
    references = References()
    references.compute(adapted(), [GROUPS, GROUPS, []], max_tokens)
    assert references.of(GROUPS, CPU).isfinite().all()


def test_the_same_tokens_learned_otherwise_are_another_conversation() -> None:
    (row, *_), references = ROWS, References()
    other = EncodedRow(row.input_ids, tuple(t >= 5 for t in range(row.num_tokens)))
    one, two = computed(references, adapted(), [(row,), (other,)]).tolist()
    assert one != two


def test_they_are_found_again_bitwise(tmp_path: Path) -> None:
    file = tmp_path / "references.json"
    first = computed(References(file, KEY), adapted(), GROUPS)
    assert torch.equal(References(file, KEY).of(GROUPS, CPU), first)
    written = file.read_bytes()
    assert torch.equal(computed(References(file, KEY), adapted(seed=1), GROUPS), first)
    assert file.read_bytes() == written


def test_new_rows_join_those_of_the_file(tmp_path: Path) -> None:
    file = tmp_path / "references.json"
    first = computed(References(file, KEY), adapted(), GROUPS[:1])
    computed(References(file, KEY), adapted(), GROUPS[1:])
    found = References(file, KEY).of(GROUPS, CPU)
    assert torch.equal(found[:2], first)
    assert found.shape == (6,)


def test_those_of_another_key_are_not_used(tmp_path: Path) -> None:
    file = tmp_path / "references.json"
    first = computed(References(file, KEY), adapted(), GROUPS)
    other = computed(References(file, "b" * 64), adapted(seed=1), GROUPS)
    assert not torch.equal(other, first)
    assert json.loads(file.read_text())["key"] == "b" * 64


@pytest.mark.parametrize(
    "content",
    ["", "{", "[]", "null", "{}", '{"sums": {}}', f'{{"key": "{KEY}", "sums": {{}}}}', "\xff"],
)
def test_a_file_of_another_shape_is_computed_again(content: str, tmp_path: Path) -> None:
    file = tmp_path / "references.json"
    file.write_text(content, encoding="latin-1")
    first = computed(References(file, KEY), adapted(), GROUPS)
    assert torch.equal(References(file, KEY).of(GROUPS, CPU), first)


def test_no_damaged_number_is_ever_used(tmp_path: Path) -> None:
    """A flipped bit makes another digit: still JSON, still a number."""
    file = tmp_path / "references.json"
    first = computed(References(file, KEY), adapted(), GROUPS)
    whole = file.read_bytes()
    for at in range(len(whole) - 1):  # the last byte is the end of the line
        file.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        found = References(file, KEY)
        try:
            assert torch.equal(found.of(GROUPS, CPU), first)
        except KeyError:
            continue  # it holds nothing, so all is computed again


def test_a_familys_own_dropout_is_no_part_of_the_base() -> None:
    lm = adapted()
    lm.packs_exactly = False
    for layer in lm.model.model.layers:
        layer.self_attn.attention_dropout = 0.5
    with lm.reference():
        lm.model.eval()
        batch = lm.pack(GROUPS)
        true = sums_of(lm.token_logps(batch), batch)
    lm.model.train()
    assert computed(References(), lm, GROUPS).allclose(true, atol=1e-4)
    assert lm.model.training
