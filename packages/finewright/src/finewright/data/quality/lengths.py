"""How long prompts, answers and whole rows are."""

from collections.abc import Callable, Sequence

from finewright.data.quality.figures import histogram, summary
from finewright.rows.texts import answer_text, passages, prompt_text
from finewright.schema.quality import Figure
from finewright.schema.rows import Row


def lengths(rows: Sequence[Row], count_tokens: Callable[[str], int] | None) -> list[Figure]:
    """Characters of prompts and answers, and tokens of rows where a tokenizer counts them.

    Tokens are those of the texts; what a chat template puts around them is not counted."""
    answered = [row for row in rows if not row.is_prompt]
    figures = [
        _figure("prompt_characters", "Characters of the prompt", rows, prompt_text),
        _figure("answer_characters", "Characters of the answer", answered, answer_text),
    ]
    if count_tokens is not None:
        counted = [(row, _tokens(row, count_tokens)) for row in rows]
        figures.append(
            Figure(
                name="tokens",
                title="Tokens of the row",
                about="All texts of the row that a model reads, by the tokenizer of the base model; "
                "without the marks of a chat template.",
                kind="histogram",
                rows=len(rows),
                bars=histogram(counted),
                summary=summary([n for _, n in counted]),
            )
        )
    return figures


def _figure(name: str, title: str, rows: Sequence[Row], text_of: Callable[[Row], str]) -> Figure:
    counted = [(row, len(text_of(row))) for row in rows]
    about = {
        "prompt_characters": "All that stands before the answer.",
        "answer_characters": "The last turn that is learned; calls of tools are not counted.",
    }
    return Figure(
        name=name,
        title=title,
        about=about[name],
        kind="histogram",
        rows=len(rows),
        bars=histogram(counted),
        summary=summary([n for _, n in counted]),
    )


def _tokens(row: Row, count_tokens: Callable[[str], int]) -> int:
    return sum(count_tokens(p.text) for p in passages(row) if p.role != "column")
