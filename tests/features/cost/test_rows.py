"""Tokens are counted as a step runs them: a pair's prompt once."""

import random
from pathlib import Path

import pytest

from finewright.lm.sources import locate
from finewright.schema.methods import DPOSpec, SFTSpec
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
    from finewright.lm.load_chat import load_chat

    base = locate(str(tiny_folder), Path.cwd())
    chat = load_chat(base)
    packed = pack_groups([encode_example(chat, row).sequences for row in PAIRS]).num_tokens
    found = counted(PAIRS, SPEC, base)
    assert found.rows.tier == "counted"
    assert found.tokens.median == pytest.approx(3 * packed)
    assert found.rows.mean * 4 > packed  # memory is reckoned with whole sequences


def test_without_a_tokenizer_the_prompt_of_a_pair_is_counted_once_too() -> None:
    alone = counted(PAIRS, SPEC).tokens.median
    longer = [pair("x" * 4000 + str(row.row), "a", "b", row.row) for row in PAIRS]
    long = counted(longer, SPEC)
    assert alone < long.tokens.median < 0.6 * long.rows.mean * 12
    assert long.rows.tier == "from characters"


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


@pytest.mark.torch
def test_of_many_rows_a_part_is_counted_and_the_interval_holds_them_all(tiny_folder: Path) -> None:
    """Lengths from 5 to 2,000 characters, and rows of figures, which have more tokens a character."""
    from finewright.lm.encode import encode_example
    from finewright.lm.load_chat import load_chat

    rng = random.Random(5)  # noqa: S311 - not a secret
    rows = []
    for number in range(1200):
        words = ["payments", "abroad", "7,31", "are", "x=2;"] if number % 3 else ["12", "9;", "%"]
        texts = [" ".join(rng.choices(words, k=int(rng.lognormvariate(3, 1)) + 1)) for _ in "qa"]
        turns = [
            {"role": r, "content": t} for r, t in zip(("user", "assistant"), texts, strict=True)
        ]
        rows.append(Row(str(number), tuple(turns), None, "rows.jsonl", number))
    base = locate(str(tiny_folder), Path.cwd())
    chat = load_chat(base)
    lengths = [encode_example(chat, row).num_tokens for row in rows]
    spec = SFTSpec(max_length=100_000, epochs=1, learning_rate=1e-4)
    found = counted(rows, spec, base)
    assert found.rows.tier == "sampled"
    assert found.rows.longest == max(lengths)
    assert found.tokens.low < sum(lengths) < found.tokens.high
    assert found.tokens.median == pytest.approx(sum(lengths), rel=0.05)
    part = counted(rows, spec.model_copy(update={"max_length": sorted(lengths)[-30]}), base)
    assert part.problems[0].message.startswith(
        "of 400 of 1200 rows, the 80 longest among them: 29 of"
    )
