"""Empty answers, refusals and code are counted with their rows."""

from dataclasses import replace

import pytest

from finewright.data.quality.measure import code_share, refusal_share, short_answers
from finewright.guard.quality.code import code_part

from .rows import prompt, row, rows


def test_empty_and_very_short_answers() -> None:
    call = replace(
        row("", number=5),
        messages=(
            {"role": "user", "content": "q"},
            {"role": "assistant", "content": "", "tool_calls": [{"function": {"name": "f"}}]},
        ),
    )
    found = short_answers([*rows("", " \n", "a", "fine"), call, prompt("q", 6)])
    assert {b.label: [r.row for r in b.rows] for b in found.bars} == {
        "empty": [1, 2],
        "1 character": [3],
    }
    assert found.rows == 5


def test_the_share_of_refusals() -> None:
    found = refusal_share(rows("I cannot help with that.", "Yes.", "No.", "Maybe."))
    assert found.summary == {"share": 0.25}
    assert [(b.label, [r.row for r in b.rows]) for b in found.bars] == [("en", [1])]


@pytest.mark.parametrize(
    ("text", "share"),
    [
        ("", 0.0),
        ("Nothing but words, in two lines.\nNo code.", 0.0),
        ("Call it a day; that is all", 0.0),
        ("Two clauses;\nin a sentence.", 0.0),
        ("```\nabc\n```", 1.0),
        ("function f() public {\n    return g(x);\n}", 1.0),
        ("def f(x):\n    return x", 1.0),
        ("12345\n```\n1234\n```", 0.5),
    ],
)
def test_how_much_is_code(text: str, share: float) -> None:
    assert code_part(text) == share


def test_rows_by_their_code() -> None:
    found = code_share(
        rows("words", "def f(x):\n    return x", "```\nx\n```\n" + "many words " * 9)
    )
    assert [(b.label, [r.row for r in b.rows]) for b in found.bars] == [
        ("no code", [1]),
        ("some code", [3]),
        ("mostly code", [2]),
    ]
