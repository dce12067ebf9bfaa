"""Repeats of every kind are found, told of or left out, and every row is accounted for."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from finewright.data.duplicates import find
from finewright.schema.duplicates import DuplicatesSpec
from finewright.schema.rows import Row
from guard.duplicates.made import chat, misspelled, near_among, seeded, words

DROP = DuplicatesSpec(exact="drop", near="drop")


def varied(seed: int, num_rows: int, *kinds: str) -> list[Row]:
    """Rows of which some repeat others: exactly, in another case, or by these kinds."""
    rng = seeded(seed)
    rows: list[Row] = []
    for i in range(num_rows):
        kind = rng.choice(["new", "same", "case", *kinds]) if rows else "new"
        if kind == "new":
            rows.append(chat(words(rng, rng.randint(9, 30)), words(rng, rng.randint(9, 30)), row=i))
        else:
            base = rng.choice(rows)
            question, answer = (turn["content"] for turn in base.messages)
            same = chat(question, answer, row=i)
            case = chat(question.upper(), answer.title(), row=i)
            rows.append({"same": same, "case": case, "misspelled": misspelled(same, rng)}[kind])
    return rows


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.integers(0, 25))
def test_every_row_is_kept_in_order_or_dropped_with_its_reason(seed: int, num_rows: int) -> None:
    rows = varied(seed, num_rows, "misspelled")
    outcome, report = find(rows, DROP)
    assert report.rows_in == len(rows) == len(outcome.rows) + len(outcome.dropped)
    assert report.rows_kept == len(outcome.rows)
    assert sum(report.rows_dropped.values()) == len(outcome.dropped)
    places = [row.row for row in outcome.rows]
    assert places == sorted(places)
    assert sorted([*places, *(drop.row.row for drop in outcome.dropped)]) == list(range(num_rows))


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.integers(0, 25))
def test_what_is_kept_has_no_repeats(seed: int, num_rows: int) -> None:
    # But for slips: whether a word is one is told by how many rows have it, and then there are fewer.
    kept = find(varied(seed, num_rows), DROP).outcome.rows
    assert find(kept, DROP).outcome.rows == kept


def test_the_kinds_are_told_apart_and_the_first_stays() -> None:
    rng = seeded(3)
    base = chat(words(rng, 130), words(rng, 130), row=1)
    question, answer = (turn["content"] for turn in base.messages)
    rows = [
        base,
        chat(question, answer, row=2),
        chat(question.upper(), answer + "  ", row=3),
        misspelled(chat(question, answer, row=4), rng),
        chat(words(rng, 30), words(rng, 30), row=5),
    ]
    outcome, report = find(rows, DROP)
    assert [row.row for row in outcome.rows] == [1, 5]
    assert [(drop.row.row, drop.reason) for drop in outcome.dropped] == [
        (2, "duplicate"),
        (3, "near_duplicate"),
        (4, "near_duplicate"),
    ]
    assert outcome.dropped[0].why == "repeats f.jsonl:1"
    assert outcome.dropped[1].why == "repeats f.jsonl:1 (the same words)"
    assert report.found == {"exact": 1, "near": 2}
    assert (report.groups, report.largest_group) == (1, 4)
    assert [problem.level for problem in outcome.problems] == ["info", "info"]


def test_what_is_only_told_of_stays() -> None:
    rows = [chat("a", "b", row=1), chat("a", "b", row=2)]
    outcome, report = find(rows, DuplicatesSpec())
    assert outcome.rows == tuple(rows)
    assert report.found == {"exact": 1}
    assert [problem.line() for problem in outcome.problems] == [
        "f.jsonl:2: 1 row says the same as an earlier one, and stays: it repeats f.jsonl:1"
        " (to leave such rows out: `data.duplicates.exact: drop` in a spec, or --exact drop of data prepare)"
    ]


def test_a_repeat_of_a_row_that_is_left_out_is_left_out() -> None:
    rng = seeded(5)
    base = chat(words(rng, 130), words(rng, 130), row=1)
    near = chat(base.messages[0]["content"].upper(), base.messages[1]["content"], row=8)
    again = replace(near, row=9)
    outcome, report = find([base, near, again], DuplicatesSpec(exact="report", near="drop"))
    assert outcome.rows == (base,)
    assert report.found == {"exact": 1, "near": 1}
    # Counted as it repeats, so that the counts of what is found and of what is dropped agree.
    assert report.rows_dropped == {"near_duplicate": 1, "duplicate": 1}
    assert [problem.message for problem in report.problems] == [
        "1 row says the same as an earlier one, and is left out: it repeats f.jsonl:8",
        "1 row says nearly the same as an earlier one, and is left out: it repeats f.jsonl:1"
        " (the same words)",
    ]


@pytest.mark.parametrize("count", [1, 2, 4])
def test_slips_are_found_and_nothing_else(count: int) -> None:
    rng = seeded(7)
    common = words(rng, 600).split()
    rows = [
        chat(*(" ".join(rng.choices(common, k=rng.randint(30, 60))) for _ in "qa"))
        for _ in range(100)
    ]
    slips = [misspelled(row, rng, count) for row in rows[:20]]
    found = near_among((*rows, *slips))
    assert all(found[i].row == i - 100 for i in found)
    # A slip that two rows have is taken for a word: the more slips, the more rows are missed.
    assert len(found) >= 20 - 2 * count


def test_a_set_of_one_template_has_no_repeats_among_its_facts() -> None:
    rng = seeded(9)

    def filled(i: int) -> Row:
        amount, to = rng.randint(1, 10**6), f"0x{rng.getrandbits(64):016x}"
        asked = f"Protocol: Kiln\nChain: Ethereum\nFunction: deposit\namount = {amount}\nreceiver = {to}"
        return chat(
            asked, f'{{"intent": "Deposit", "amount": "{amount}", "receiver": "{to}"}}', row=i
        )

    rows = [filled(i) for i in range(300)]
    again = [
        chat(*(turn["content"] for turn in rows[i].messages), row=i) for i in range(0, 300, 10)
    ]
    spaced = [
        chat(r.messages[0]["content"] + " ", r.messages[1]["content"], row=300 + i)
        for i, r in enumerate(again)
    ]
    found = near_among((*rows, *spaced))
    assert {i: kept.row for i, kept in found.items()} == {300 + n: 10 * n for n in range(30)}


def test_many_near_repeats_of_one_row_leave_one() -> None:
    rng = seeded(11)
    base = chat(words(rng, 130), words(rng, 130))
    edits = [base.messages[0]["content"].replace(" ", " " * n) for n in range(1, 61)]
    greeted = [f"Hello, {text.title()} Thanks!" for text in edits]
    rows = [
        chat(text, base.messages[1]["content"], row=i) for i, text in enumerate(edits + greeted)
    ]
    assert find(rows, DROP).report.rows_kept == 1
