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
        "by 131 of 1200 rows, all that may be too long among them: 29 of 1200 rows (2 %) have"
    )


PROSE = (Path(__file__).parents[4] / "docs" / "decide.md").read_text(encoding="utf-8")
CHINESE = "机器学习是人工智能的一个分支它使用数据和算法来模仿人类的学习方式并逐步提高其准确性"


def chat_row(number: int, question: str, answer: str, *more: str) -> Row:
    roles = ("user", "assistant") * (1 + len(more))
    turns = (
        {"role": r, "content": t} for r, t in zip(roles, (question, answer, *more), strict=False)
    )
    return Row(str(number), tuple(turns), None, "rows.jsonl", number)


def drawn(text: str, most: int, rng: random.Random) -> str:
    size = rng.randrange(most // 2, most)
    at = rng.randrange(max(1, len(text) - size))
    return (text * (1 + size // len(text)))[at : at + size].strip() or "yes"


def many_rows(kind: str) -> list[Row]:
    rng = random.Random(1)  # noqa: S311 - not a secret
    texts = {
        "short beside long": lambda i: (PROSE, 40, PROSE, 2000 if i % 5 == 0 else 12),
        "Chinese beside long English": lambda i: (
            CHINESE,
            40,
            *((PROSE, 2000), (CHINESE, 20))[i % 5 > 0],
        ),
        "two languages in turn": lambda i: ((PROSE, 60, PROSE, 60), (CHINESE, 60, CHINESE, 50))[
            i % 2
        ],
        "labels": lambda i: (PROSE, 80, ("yes", "not at all")[i % 2], 2),
        "several turns": lambda i: (PROSE, 90, PROSE, 90),
    }[kind]
    rows = []
    for number in range(640):
        question, most, answer, most_answered = texts(number)
        more = [drawn(PROSE, 200, rng) for _ in range(2 * (number % 3))]
        turns = drawn(question, most, rng), drawn(answer, most_answered, rng)
        rows.append(chat_row(number, *turns, *(more if kind == "several turns" else ())))
    return rows


@pytest.mark.torch
@pytest.mark.parametrize(
    "kind",
    [
        "short beside long",
        "Chinese beside long English",
        "two languages in turn",
        "labels",
        "several turns",
    ],
)
def test_the_interval_of_a_sample_and_its_learned_share_hold_whatever_is_drawn(
    kind: str, tiny_folder: Path
) -> None:
    from finewright.lm.encode import encode_example
    from finewright.lm.load_chat import load_chat

    base, rows = locate(str(tiny_folder), Path.cwd()), many_rows(kind)
    chat = load_chat(base)
    examples = [encode_example(chat, row) for row in rows]
    tokens = sum(example.num_tokens for example in examples)
    learned = sum(example.num_trained for example in examples) / tokens
    for seed in range(3):
        spec = SFTSpec(max_length=100_000, epochs=1, learning_rate=1e-4, seed=seed)
        found = counted(rows, spec, base)
        assert found.rows.tier == "sampled"
        assert found.tokens.low <= tokens <= found.tokens.high
        assert found.tokens.median == pytest.approx(tokens, rel=0.01)
        assert found.rows.learned_share == pytest.approx(learned, rel=0.06)


@pytest.mark.torch
@pytest.mark.parametrize("dense", [CHINESE * 10, "0A7F93" * 75], ids=["Chinese", "hex"])
def test_a_row_of_few_characters_and_many_tokens_is_not_missed(
    dense: str, tiny_folder: Path
) -> None:
    from finewright.lm.encode import encode_example
    from finewright.lm.load_chat import load_chat

    rng = random.Random(2)  # noqa: S311 - not a secret
    base = locate(str(tiny_folder), Path.cwd())
    rows = [chat_row(i, "Go on", "many words " * rng.randrange(1, 40)) for i in range(600)]
    rows[301] = chat_row(301, "Go on", dense)
    chat = load_chat(base)
    lengths = [encode_example(chat, row).num_tokens for row in rows]
    assert lengths[301] == max(lengths) > sorted(lengths)[-2]
    spec = SFTSpec(max_length=100_000, epochs=1, learning_rate=1e-4)
    assert counted(rows, spec, base).rows.longest == lengths[301]
    tight = counted(rows, spec.model_copy(update={"max_length": lengths[301] - 1}), base)
    assert [(problem.level, problem.row) for problem in tight.problems] == [("error", 301)]
    assert "1 of 600 rows (0 %)" in tight.problems[0].message


@pytest.mark.torch
def test_documents_are_counted_as_the_windows_that_train(tiny_folder: Path) -> None:
    from finewright.lm.encode import encode_rows
    from finewright.lm.load_chat import load_chat

    base = locate(str(tiny_folder), Path.cwd())
    text = ({"role": "text", "content": "a word and another " * 20},)
    rows = [*(Row(f"t{i}", text, None, "rows.jsonl", i) for i in range(3)), PAIRS[0]]
    rows[-1] = Row("c", PAIRS[0].messages, None, "rows.jsonl", 9)
    spec = SFTSpec(max_length=60, batch_size=2, epochs=1, learning_rate=1e-4)
    true = encode_rows(load_chat(base), rows, max_length=60, on_overlong="error").rows
    found = counted(rows, spec, base)
    assert found.rows.count == len(true)
    assert found.tokens.median == pytest.approx(sum(row.num_tokens for row in true))
    reckoned = counted(rows, spec)
    assert reckoned.rows.longest_sequence <= 60
    assert 0.3 < reckoned.tokens.median / found.tokens.median < 3
