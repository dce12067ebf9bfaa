"""A row's history is kept over steps that change some rows and leave others out."""

from finewright.data.provenance.changes import RowChange, RowChanges
from finewright.schema.rows import Row

TURNS = ({"role": "user", "content": "q"}, {"role": "assistant", "content": "a"})


def row(name: str, number: int) -> Row:
    return Row(name, TURNS, None, "a.jsonl", number)


def test_two_steps_are_two_changes_of_one_row() -> None:
    first = RowChanges().after("redacted", [row("a", 1), row("b", 2)], [row("A", 1), row("b", 2)])
    both = first.after("neutralised", [row("A", 1), row("b", 2)], [row("AA", 1), row("b", 2)])
    assert both.of_row(row("AA", 1)) == RowChange("a", ("redacted", "neutralised"))
    assert both.of_row(row("b", 2)) == RowChange("b", ())


def test_a_change_outlives_a_step_that_drops_others() -> None:
    first = RowChanges().after("redacted", [row("a", 1), row("b", 2)], [row("A", 1), row("b", 2)])
    later = first.after("duplicates", [row("A", 1), row("b", 2)], [row("A", 1)])
    assert later.of_row(row("A", 1)) == RowChange("a", ("redacted",))


def test_rows_of_one_record_are_told_apart() -> None:
    before = [row("a", 1), row("b", 1), row("c", 1)]
    found = RowChanges().after("redacted", before, [row("a", 1), row("B", 1), row("C", 1)])
    assert found.of_row(row("B", 1)).id_before == "b"
    assert found.of_row(row("C", 1)).id_before == "c"
    assert found.of_row(row("a", 1)).steps == ()
