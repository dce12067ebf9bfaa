"""Rows in a line."""

from finewright.schema.rows import Row


def row(answer: str, question: str = "q?", number: int = 1, **more: object) -> Row:
    turns = (
        {"role": "user", "content": question},
        {"role": "assistant", "content": answer},
    )
    return Row(f"id{number}", turns, None, "a.jsonl", number, **more)  # type: ignore[arg-type]


def rows(*answers: str) -> list[Row]:
    return [row(text, f"question {i}", i) for i, text in enumerate(answers, 1)]


def prompt(question: str, number: int = 1) -> Row:
    return Row(f"id{number}", ({"role": "user", "content": question},), None, "a.jsonl", number)


def pair(chosen: str, rejected: str, question: str = "q?", number: int = 1) -> Row:
    first = {"role": "user", "content": question}
    good, bad = ((first, {"role": "assistant", "content": text}) for text in (chosen, rejected))
    return Row(f"id{number}", good, None, "a.jsonl", number, rejected=bad)
