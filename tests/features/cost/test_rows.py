"""Tokens are counted as a step runs them: a pair's prompt once."""

from pathlib import Path

import pytest

from finewright.lm.sources import locate
from finewright.schema.methods import DPOSpec
from finewright.schema.rows import Row

from .jobs import counted


def pair(asked: str, chosen: str, rejected: str, number: int) -> Row:
    prompt = {"role": "user", "content": asked}
    sides = [(prompt, {"role": "assistant", "content": text}) for text in (chosen, rejected)]
    return Row(str(number), sides[0], None, "rows.jsonl", number, rejected=sides[1])


PAIRS = [pair(f"Which of {'many ' * i}words?", "this one", "that", i) for i in range(1, 5)]
SPEC = DPOSpec(batch_size=4, max_steps=3, learning_rate=1e-4)


@pytest.mark.torch
def test_the_tokens_of_a_run_of_pairs_are_those_that_its_steps_pack(tiny_folder: Path) -> None:
    from finewright.lm.batch import pack_groups
    from finewright.lm.encode import encode_example
    from finewright.lm.load import load_chat

    base = locate(str(tiny_folder), Path.cwd())
    chat = load_chat(base)
    packed = pack_groups([encode_example(chat, row).sequences for row in PAIRS]).num_tokens
    found = counted(PAIRS, SPEC, base)
    assert found.rows.counted
    assert found.tokens.median == pytest.approx(3 * packed)
    assert found.rows.mean * 4 > packed  # memory is reckoned with whole sequences


def test_without_a_tokenizer_the_prompt_of_a_pair_is_counted_once_too() -> None:
    alone = counted(PAIRS, SPEC).tokens.median
    longer = [pair("x" * 4000 + str(row.row), "a", "b", row.row) for row in PAIRS]
    long = counted(longer, SPEC)
    assert alone < long.tokens.median < 0.6 * long.rows.mean * 12
    assert not long.rows.counted


@pytest.mark.torch
def test_rows_that_are_too_long_are_those_that_training_leaves_out(tiny_folder: Path) -> None:
    base = locate(str(tiny_folder), Path.cwd())
    whole = counted(PAIRS, SPEC, base).rows
    tight = {"max_length": whole.longest_sequence - 1}
    dropped = counted(PAIRS, SPEC.model_copy(update={**tight, "on_overlong": "drop"}), base)
    assert (whole.count, dropped.rows.count) == (4, 3)
    assert dropped.rows.longest < whole.longest
    assert dropped.problems[0].message.startswith("1 of 4 rows (25 %) have more than")
    refused = counted(PAIRS, SPEC.model_copy(update=tight), base).problems
    assert [problem.level for problem in refused] == ["error"]
