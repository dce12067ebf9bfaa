"""Which value of an answer is a fact, what it is changed into, and who follows."""

import pytest

from finewright.schema.rows import Row
from finewright_advice.measure.facts import edit, says, stands, values_of

DOCUMENTS = {
    "a": "The fee is $25.00. It was $125.00, or 25.00 before.",
    "b": "A limit of 30 days; fee $40.00.",
    "c": "Call `open_vault`, then `close_vault`.",
    "d": "The rate is 5.5% and not 15.5%.",
}


def row(number: int, answer: str, *gold: str) -> Row:
    messages = ({"role": "user", "content": "?"}, {"role": "assistant", "content": answer})
    return Row(f"row-{number}", messages, None, "rows.jsonl", number, columns={"gold": [*gold]})


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("It is $25.00 a month.", [("$25.00", "$.")]),
        ("5.5%, or 6 %", [("5.5%", ".%")]),
        ("30 days and 5 nights", [("30", "")]),  # a digit alone is no fact
        ("`open_vault` of v2", [("`open_vault`", "name")]),
        ("1,000,000", [("1,000,000", "")]),
        ("uint256 and 1.2.3", []),
    ],
)
def test_a_fact_is_a_number_with_its_sign_or_a_name(text, found):
    assert list(values_of(text)) == found


@pytest.mark.parametrize(
    ("value", "text", "is_there"),
    [
        ("$25.00", "costs $25.00.", True),
        ("$25.00", "costs $125.00.", False),
        ("25.00", "costs $25.00.", False),
        ("5.5%", "15.5%", False),
        ("30", "30%", False),
        ("30", "1,30", False),
    ],
)
def test_a_value_stands_alone_and_not_in_another(value, text, is_there):
    assert stands(value, text) is is_there


def test_an_answer_gives_a_number_however_it_is_written():
    assert says("It is $1,200.", "$1200.00")
    assert says("25 percent", "25%")
    assert not says("$120", "$1,200")
    assert says("use `open_vault` here", "`open_vault`")
    assert not says("use open_vaults", "`open_vault`")
    assert not says("use `erc20Mint` of 20", "`erc20Burn`")
    assert not says("in v25", "$25.00")
    assert says("(25kg)", "25")


def test_a_fact_is_changed_in_every_gold_document_and_nowhere_else():
    rows = [row(1, "$25.00", "a"), row(2, "$40.00", "b"), row(3, "5.5%", "d")]
    found = edit(rows, DOCUMENTS, 3, seed=0)
    by_row = {change.row.row: change for change in found.changes}
    assert (by_row[1].old, by_row[1].new, by_row[1].documents) == ("$25.00", "$40.00", ("a",))
    assert found.documents["a"] == "The fee is $40.00. It was $125.00, or 25.00 before."
    assert found.documents["d"] == f"The rate is {by_row[3].new} and not 15.5%."
    assert by_row[3].new not in ("5.5%", "15.5%")
    assert found.unchanged == ()


def test_what_stays_is_not_answered_by_a_changed_document():
    rows = [row(i, "$25.00", "a") for i in range(4)] + [row(9, "30", "b"), row(8, "5.5%", "d")]
    found = edit(rows, DOCUMENTS, 1, seed=2)
    (change,), (kept,) = found.changes, found.unchanged
    assert set(change.documents).isdisjoint(kept.columns["gold"])
    assert found.documents.keys() == set(change.documents)


def test_a_row_without_a_fact_in_its_documents_is_left_alone():
    rows = [row(1, "$25.00", "b"), row(2, "Yes.", "a"), row(3, "$25.00"), row(4, "$25.00", "x")]
    assert edit(rows, DOCUMENTS, 5, seed=0) == ((), {}, ())


def test_a_name_becomes_another_name_and_the_seed_decides():
    rows = [row(1, "`open_vault`", "c"), row(2, "It is `lock_vault`.", "a")]
    found = edit(rows, DOCUMENTS, 1, seed=0)
    assert found.documents == {"c": "Call `lock_vault`, then `close_vault`."}
    assert found == edit(rows, DOCUMENTS, 1, seed=0)
