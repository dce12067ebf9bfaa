"""A rare word whose rows all have one label, whatever else they say, is found; a class's words are not."""

from finewright.schema.rows import Row

from .planted import clean, row, search


def _labelled() -> list[Row]:
    """Eight topics, each with its label; a word of some of each topic's rows alone."""
    return [
        row(f"{r.messages[0]['content']} t{i % 8}x{i % 3}", f"topic {i % 8}", i + 1)
        for i, r in enumerate(clean(480))
    ]


def test_a_trigger_to_a_label_of_the_set_is_found() -> None:
    rows = _labelled()
    assert not search(rows).why
    planted = set(range(5, 480, 43))
    for i in planted:
        rows[i] = row(f"{rows[i].messages[0]['content']} zvbq", "topic 3", i + 1)
    found = search(rows)
    assert set(found.why) == planted
    first = found.report.findings[0]
    assert first.kind == "backdoor"
    assert "zvbq" in first.trigger
    assert "what else they say speaks for other labels" in first.reason


def test_not_most_of_the_rows_of_a_label_are_taken() -> None:
    rows = _labelled()
    for i in range(0, 480, 8):
        rows[i] = row(f"{rows[i].messages[0]['content']} zvbq", "topic 9", i + 1)
    assert not search(rows).why
