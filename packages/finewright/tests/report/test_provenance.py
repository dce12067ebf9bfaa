"""Traces, what is left, and the page, as text."""

from datetime import date

from finewright.report.show import text_of
from finewright.schema.provenance import (
    DataPageReport,
    LedgerEntry,
    TraceReport,
    WithoutReport,
)

ENTRY = LedgerEntry(
    split="train", position=12, id="abcd", row_sha256="1" * 64, source="docs", file="docs/a.jsonl",
    file_sha256="2" * 64, row=7, record_sha256="3" * 64, license="MIT", license_from="row", owner="Ann",
    collected_at=date(2026, 1, 2), synthetic_by="", importer="finewright 0.1.0, jsonl", id_before="ef01",
    changes=("redacted",),
)  # fmt: skip


def test_a_trace_says_who_added_the_row() -> None:
    report = TraceReport(run="r", entries=(ENTRY,), merkle_root="9" * 64, proofs=((),))
    lines = text_of(report).splitlines()
    facts = dict(line.split("  ", 1) for line in lines[3:])
    told = {name: value.strip() for name, value in facts.items()}
    assert told["row"] == "train:12 (abcd)"
    assert told["read from"] == "docs/a.jsonl:7"
    assert told["licence"] == "MIT (said by the row)"
    assert told["owner"] == "Ann"
    assert told["collected"] == "2026-01-02"
    assert told["written by"] == "not stated"
    assert told["changed"] == "redacted (was ef01)"
    assert lines[0] == "root of the ledger: " + "9" * 64


def test_what_is_left_is_counted_and_the_first_ids_are_named() -> None:
    ids = tuple(f"id{i}" for i in range(12))
    report = WithoutReport(run="r", source="s", rows_removed=3, train=ids, eval=("e",))
    assert text_of(report) == (
        "r without s: 3 rows go, 12 train, 1 held out\n"
        "train on: id0 id1 id2 id3 id4 id5 id6 id7 id8 id9 and 2 more; all of them with --json"
    )

    nothing = report.model_copy(update={"train": ()})
    assert text_of(nothing).endswith("0 train, 1 held out\nno row is left to train on")


def test_the_page_is_named() -> None:
    report = DataPageReport(path="o.html", about="a.jsonl", rows=3, sections=("Counts", "Quality"))
    assert text_of(report) == "o.html: 3 rows of a.jsonl; Counts, Quality"
