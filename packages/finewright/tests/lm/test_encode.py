"""Every row that goes into encoding comes out, or is counted, or is a problem."""

from dataclasses import replace
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

import tiny
from finewright.errors import DataError
from finewright.lm.encode import Overlong, encode_example, encode_row, encode_rows
from finewright.schema.rows import Row

pytestmark = pytest.mark.torch

CHAT = tiny.tiny_chat("gemma")


def row_of(*turns: tuple[str, str], number: int = 1, **weight: int) -> Row:
    messages = [{"role": role, "content": content} for role, content in turns]
    messages[-1].update(weight)
    return Row(f"id-{number}", tuple(messages), None, "rows.jsonl", number)


def pair(prompt: str, chosen: str, rejected: str) -> Row:
    asks = {"role": "user", "content": prompt}
    answers = [(asks, {"role": "assistant", "content": text}) for text in (chosen, rejected)]
    return Row("pair", answers[0], None, "rows.jsonl", 1, rejected=answers[1])


def asked(question: str, answer: str, number: int = 1) -> Row:
    return row_of(("user", question), ("assistant", answer), number=number)


words = st.text("ab \n🙂", max_size=30)
good_rows = st.builds(asked, words, words)
bad_rows = st.builds(lambda text: row_of(("assistant", text)), words)  # Gemma refuses to begin so
unlearned = st.builds(lambda t: row_of(("user", t), ("assistant", t), weight=0), words)


@pytest.mark.parametrize("on_overlong", get_args(Overlong))
@given(
    rows=st.lists(st.one_of(good_rows, good_rows, bad_rows, unlearned), max_size=8),
    max_length=st.integers(2, 60),
)
def test_every_row_is_kept_or_counted(
    on_overlong: Overlong, rows: list[Row], max_length: int
) -> None:
    encoded = encode_rows(CHAT, rows, max_length=max_length, on_overlong=on_overlong)
    counts, dropped = encoded.counts, encoded.counts.rows_dropped
    errors = [p for p in encoded.problems if p.level == "error"]

    assert counts.rows_in == len(rows)
    assert counts.rows_kept == len(encoded.rows)
    assert counts.rows_in == counts.rows_kept + sum(dropped.values())
    assert (dropped.get("error", 0) > 0) == (len(errors) > 0)
    assert all(row.num_tokens <= max_length for row in encoded.rows)
    assert all(row.num_trained > 0 for row in encoded.rows)
    allowed = {"error": {"error"}, "drop": {"error", "overlong"}}
    allowed["truncate"] = {"error", "nothing_left_to_learn"}
    assert dropped.keys() <= allowed[on_overlong]
    assert (counts.rows_truncated == 0) or on_overlong == "truncate"
    assert all(count > 0 for count in dropped.values())


@given(rows=st.lists(good_rows, max_size=6), max_length=st.integers(2, 60))
def test_the_policies_differ_in_overlong_rows_alone(rows: list[Row], max_length: int) -> None:
    whole = [encode_row(CHAT, row) for row in rows]
    short = [row for row in whole if len(row.input_ids) <= max_length]
    cut = encode_rows(CHAT, rows, max_length=max_length, on_overlong="truncate")
    for policy in ("error", "drop"):
        found = encode_rows(CHAT, rows, max_length=max_length, on_overlong=policy)
        assert [row.sequences for row in found.rows] == [(row,) for row in short]
    starts = [row.input_ids[:max_length] for row in whole if any(row.trained[1:max_length])]
    assert [sequence.input_ids for row in cut.rows for sequence in row.sequences] == starts
    assert cut.counts.rows_truncated == sum(
        len(row.input_ids) > max_length and any(row.trained[1:max_length]) for row in whole
    )


def test_a_row_cut_to_its_prompt_is_counted_as_nothing_left_to_learn() -> None:
    row = asked("a long question " * 5, "yes")
    encoded = encode_rows(CHAT, [row], max_length=20, on_overlong="truncate")
    assert encoded.rows == ()
    assert encoded.counts.rows_dropped == {"nothing_left_to_learn": 1}
    assert encoded.counts.rows_truncated == 0


@pytest.mark.parametrize(
    ("num_long", "level"), [(1, "info"), (2, "warning"), (19, "warning"), (20, "warning")]
)
@pytest.mark.parametrize(
    ("policy", "says"), [("truncate", "lose the end of an answer"), ("drop", "are left out")]
)
def test_what_becomes_of_long_rows_is_told_once_with_their_share(
    policy: Overlong, says: str, num_long: int, level: str
) -> None:
    rows = [asked("q", "abc " * (20 if i > 20 - num_long else 1), number=i) for i in range(1, 21)]
    (problem,) = encode_rows(CHAT, rows, max_length=30, on_overlong=policy).problems
    assert (problem.level, problem.row) == (level, 21 - num_long)
    assert problem.message.startswith(f"{num_long} of 20 rows ({5 * num_long} %) have more than 30")
    assert says in problem.message
    longest = len(encode_row(CHAT, rows[-1]).input_ids)
    assert problem.hint.startswith(f"set train.max_length to {longest}")


def test_a_row_that_is_lost_by_cutting_is_a_warning_however_few_they_are() -> None:
    rows = [asked("a long question " * (5 if i == 7 else 0), "y", number=i) for i in range(1, 101)]
    (problem,) = encode_rows(CHAT, rows, max_length=20, on_overlong="truncate").problems
    assert (problem.level, problem.row) == ("warning", 7)
    assert problem.message.startswith(
        "1 of 100 rows (1 %) have nothing left to learn after 20 tokens"
    )


def test_what_follows_the_last_answer_makes_no_row_too_long() -> None:
    row = row_of(("user", "q"), ("assistant", "a"), ("user", "thanks " * 20))
    encoded = encode_rows(CHAT, [row], max_length=30, on_overlong="error")
    (example,) = encoded.rows
    assert example.sequences == (encode_row(CHAT, asked("q", "a", number=1)),)
    assert encoded.problems == ()


def test_a_cut_answer_keeps_its_beginning() -> None:
    row = asked("q", "abc " * 20)
    whole = encode_row(CHAT, row)
    (example,) = encode_rows(CHAT, [row], max_length=30, on_overlong="truncate").rows
    (cut,) = example.sequences
    assert cut.input_ids == whole.input_ids[:30]
    assert cut.trained == whole.trained[:30]
    assert cut.row_id == "id-1"


def test_overlong_rows_are_one_error_that_says_where_and_what_suits_them_all() -> None:
    rows = [asked("q", "abc " * (10 * n), number=n + 1) for n in range(10)]
    length = len(encode_row(CHAT, rows[-1]).input_ids)
    encoded = encode_rows(CHAT, rows, max_length=30, on_overlong="error")
    (problem,) = encoded.problems
    assert (problem.level, problem.file, problem.row) == ("error", "rows.jsonl", 2)
    assert problem.message.startswith("9 of 10 rows (90 %) have more than 30 tokens")
    assert f"set train.max_length to {length}" in problem.hint
    assert encoded.counts.rows_dropped == {"error": 9}


def test_a_refused_conversation_is_an_error_that_says_where() -> None:
    refused = [row_of(("assistant", "a"), number=n) for n in range(7, 17)]
    encoded = encode_rows(CHAT, [asked("q", "a"), *refused], max_length=60, on_overlong="drop")
    (problem,) = encoded.problems
    assert (problem.file, problem.row) == ("rows.jsonl", 7)
    assert "roles must alternate" in problem.message
    assert problem.message.endswith("; and 9 more rows")
    assert encoded.counts.rows_dropped == {"error": 10}


def test_a_row_of_exactly_the_longest_length_is_kept_whole() -> None:
    row = asked("q", "some answer")
    length = len(encode_row(CHAT, row).input_ids)
    encoded = encode_rows(CHAT, [row], max_length=length, on_overlong="error")
    assert encoded.counts.rows_kept == 1
    assert encoded.problems == ()


def test_a_conversation_is_an_example_of_one_sequence() -> None:
    row = asked("q", "a")
    assert encode_example(CHAT, row).sequences == (encode_row(CHAT, row),)


def test_a_preference_pair_is_the_chosen_then_the_rejected_conversation() -> None:
    example = encode_example(CHAT, pair("q", "good", "bad"))
    assert example.sequences == (
        replace(encode_row(CHAT, asked("q", "good")), row_id="pair"),
        replace(encode_row(CHAT, asked("q", "bad")), row_id="pair"),
    )


@pytest.mark.parametrize("label", [True, False])
def test_an_unpaired_row_keeps_its_label_and_columns(label: bool) -> None:
    row = replace(asked("q", "a"), label=label, columns={"source": "forum"})
    example = encode_example(CHAT, row)
    assert (example.label, example.columns) == (label, {"source": "forum"})
    assert example.sequences == (encode_row(CHAT, row),)


def test_a_prompt_alone_ends_with_the_generation_prompt_and_nothing_of_it_is_learned() -> None:
    (prompt,) = encode_example(CHAT, row_of(("user", "q"))).sequences
    text = "<bos><start_of_turn>user\nq<end_of_turn>\n<start_of_turn>model\n"
    assert CHAT.tokenizer.decode(prompt.input_ids) == text
    assert not any(prompt.trained)
    answered = encode_row(CHAT, asked("q", "a"))
    assert answered.input_ids[: prompt.num_tokens] == prompt.input_ids


def test_an_overlong_prompt_is_cut_at_its_beginning_and_kept() -> None:
    row = row_of(("user", "a long question " * 5))
    (whole,) = encode_example(CHAT, row).sequences
    encoded = encode_rows(CHAT, [row], max_length=20, on_overlong="truncate")
    (example,) = encoded.rows
    assert [sequence.input_ids for sequence in example.sequences] == [whole.input_ids[-20:]]
    assert encoded.counts.rows_truncated == 1


def test_a_pair_is_as_long_as_its_longer_conversation() -> None:
    row = pair("q", "a", "abc " * 20)
    longer = encode_row(CHAT, asked("q", "abc " * 20)).num_tokens
    fits = encode_rows(CHAT, [row], max_length=longer, on_overlong="drop")
    assert fits.counts.rows_kept == 1
    tight = encode_rows(CHAT, [row], max_length=longer - 1, on_overlong="drop")
    assert tight.counts.rows_dropped == {"overlong": 1}


def test_a_cut_pair_loses_the_end_of_what_is_too_long_alone() -> None:
    row = pair("q", "a", "abc " * 20)
    (cut,) = encode_rows(CHAT, [row], max_length=30, on_overlong="truncate").rows
    whole = encode_example(CHAT, row).sequences
    assert [sequence.input_ids for sequence in cut.sequences] == [
        whole[0].input_ids,
        whole[1].input_ids[:30],
    ]


def test_a_pair_with_an_answer_that_would_learn_nothing_is_refused() -> None:
    row = pair("q", "a", "b")
    assert row.rejected is not None
    silent = tuple({**message, "weight": 0} for message in row.rejected)
    with pytest.raises(DataError, match="no token of this row would be learned"):
        encode_example(CHAT, replace(row, rejected=silent))
