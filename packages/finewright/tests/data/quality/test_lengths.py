"""Lengths against texts that are counted by hand."""

from finewright.data.quality.measure import lengths

from .rows import prompt, row


def test_prompts_answers_and_tokens_are_counted() -> None:
    both = [row("one two", "a?"), prompt("four words are here", 2)]
    prompts, answers, tokens = lengths(both, lambda text: len(text.split()))
    assert [(b.label, b.count) for b in prompts.bars] == [("2-4", 1), ("5-9", 0), ("10-19", 1)]
    assert (answers.rows, answers.summary["largest"]) == (1, 7)
    assert (tokens.rows, tokens.summary["mean"]) == (2, (3 + 4) / 2)


def test_columns_are_no_tokens_of_the_row() -> None:
    found = lengths([row("one", "q", columns={"note": "a b c d"})], lambda text: len(text.split()))
    assert found[2].summary["largest"] == 2


def test_tokens_need_somebody_who_counts() -> None:
    assert [f.name for f in lengths([row("a")], None)] == ["prompt_characters", "answer_characters"]
