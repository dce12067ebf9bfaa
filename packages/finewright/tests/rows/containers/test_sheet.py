"""Workbooks are tables: a row a line, cells as text, sheets of the same columns one after the other."""

import json
import zipfile
from datetime import date
from pathlib import Path

import pytest
from openpyxl import Workbook, load_workbook

from finewright.features.data.check import check
from finewright.rows.containers.found import Repair
from finewright.rows.read import read_rows

HEAD = ("prompt", "completion", "on")


def book(path: Path, **sheets: list[tuple[object, ...]]) -> Path:
    made = Workbook()
    made.remove(made.active)
    for title, rows in sheets.items():
        sheet = made.create_sheet(title)
        for row in rows:
            sheet.append(row)
    made.save(path)
    return path


def test_rows_stand_at_their_line_and_cells_are_text(tmp_path):
    rows = [(), HEAD, ("Q", 4.5, date(2026, 1, 2)), (), ("Q2", True, None)]
    found = read_rows(book(tmp_path / "a.xlsx", one=rows))
    assert [(row.row, row.data) for row in found.rows] == [
        (3, {"prompt": "Q", "completion": "4.5", "on": "2026-01-02"}),
        (5, {"prompt": "Q2", "completion": "true", "on": ""}),
    ]
    assert found.problems == ()


def test_sheets_of_the_same_columns_are_one_table_and_others_are_named(tmp_path):
    path = book(
        tmp_path / "a.xlsx", may=[HEAD, ("Q", "A")], june=[HEAD, ("Q2", "A2")], notes=[("x",)]
    )
    found = read_rows(path)
    assert [(row.row, row.data["prompt"]) for row in found.rows] == [(2, "Q"), (4, "Q2")]
    assert [(p.level, p.message) for p in found.problems] == [
        ("info", "sheet june: its row 1 is row 3 here"),
        ("warning", "sheets with other columns are not read: notes"),
    ]


def test_a_formula_that_nobody_computed_is_no_empty_answer(tmp_path):
    found = read_rows(book(tmp_path / "a.xlsx", one=[HEAD, ("Q", "=A1", ""), ("Q2", "A2", "")]))
    assert [(row.row, row.data["completion"]) for row in found.rows] == [(3, "A2")]
    (problem,) = found.problems
    assert (problem.row, problem.message) == (
        2,
        "the formula in B2 has no value: nobody has computed it",
    )


def rewritten(path, old, new):
    """The same workbook with other bytes in its first sheet."""
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    sheet = parts["xl/worksheets/sheet1.xml"]
    assert old in sheet
    parts["xl/worksheets/sheet1.xml"] = sheet.replace(old, new)
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return path


def test_a_formula_that_gave_an_empty_text_is_one(tmp_path):
    path = book(tmp_path / "a.xlsx", one=[HEAD, ("Q", "A", '=IF(A2="","x","")')])
    computed = rewritten(path, b'<c r="C2"><f>', b'<c r="C2" t="str"><f>')
    found = read_rows(computed)
    assert [row.data["completion"] for row in found.rows] == ["A"]
    assert not found.problems


def test_a_cut_sheet_with_formulas_is_said(tmp_path):
    path = book(tmp_path / "a.xlsx", one=[HEAD, ("Q", "=A1", "")])
    cut = rewritten(path, b"</worksheet>", b"")
    assert any("broken workbook" in problem.message for problem in read_rows(cut).problems)


def test_a_workbook_of_a_folder_is_read_beside_its_other_files(tmp_path):
    book(tmp_path / "a.xlsx", one=[HEAD, ("Q", "A", "")])
    (tmp_path / "b.csv").write_text("prompt,completion\nQ,A\n")
    assert check(tmp_path).rows_kept == 2


def test_xml_that_openpyxl_does_not_know_is_a_broken_workbook(tmp_path):
    path = book(tmp_path / "a.xlsx", one=[HEAD, ("Q", "A", "")])
    found = read_rows(rewritten(path, b"summaryBelow=", b"summaryAbove="))
    assert "broken workbook" in found.problems[-1].message


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"PK\x03\x04rest", "broken workbook"), (b"\xd0\xcf\x11\xe0rest", "of before 2007")],
)
def test_what_is_no_workbook_is_said(tmp_path, content, said):
    (tmp_path / "a.xlsx").write_bytes(content)
    assert said in read_rows(tmp_path / "a.xlsx").problems[0].message


def test_a_record_that_is_wider_than_the_header_is_refused(tmp_path):
    found = read_rows(book(tmp_path / "a.xlsx", one=[("a", "b"), ("1", "2", "3"), ("1", "2")]))
    assert ([row.row for row in found.rows], [p.row for p in found.problems]) == ([3], [2])


MERGED = [HEAD, ("Q", "A", "x"), ("Q2", "A2", None), ("Q3", "A3", None)]


def merged(path: Path, rows: list[tuple[object, ...]]) -> Path:
    made = Workbook()
    for row in rows:
        made.active.append(row)
    made.active.merge_cells("C2:C4")
    made.save(path)
    return path


@pytest.mark.parametrize(
    ("first", "rows", "wrong"),
    [
        (("Q", "=A1", "x"), {3: "x", 4: "x"}, [(2, "B2")]),
        (("Q", "A", "=A1"), {}, [(2, "C2"), (3, "C2"), (4, "C2")]),
        ((None, None, "=A1"), {}, [(2, "C2"), (3, "C2"), (4, "C2")]),
    ],
)
def test_a_merged_cell_holds_beside_and_beyond_a_formula_without_value(
    tmp_path, first, rows, wrong
):
    found = read_rows(merged(tmp_path / "a.xlsx", [HEAD, first, *MERGED[2:]]))
    assert {row.row: row.data["on"] for row in found.rows} == rows
    said = [(p.row, p.message.split()[3]) for p in found.problems if p.level == "error"]
    assert said == wrong


@pytest.mark.parametrize(
    "reference", ["A:A", "2:4", "", "nonsense", "S!C2:C4", "C4:C2", "C2:C9999999"]
)
def test_a_reference_that_is_none_merges_nothing(tmp_path, reference):
    path = rewritten(
        merged(tmp_path / "a.xlsx", MERGED), b'ref="C2:C4"', f'ref="{reference}"'.encode()
    )
    found = read_rows(path)
    num_filled = 3 if reference == "C2:C9999999" else 1
    assert [row.data["on"] for row in found.rows] == (["x"] * 3)[:num_filled] + [""] * (
        3 - num_filled
    )
    assert not any(problem.level == "error" for problem in found.problems)


def test_only_a_workbook_has_formulas_that_fail(tmp_path):
    path = book(tmp_path / "a.xlsx", one=[HEAD, ("Q", "#N/A", "")])
    assert [row.repairs for row in read_rows(path).rows] == [
        (Repair("failed_formula", "completion"),)
    ]
    table = tmp_path / "a.csv"
    table.write_text("prompt,completion\nQ,#N/A\n")
    assert [row.repairs for row in read_rows(table).rows] == [()]


def test_a_cell_may_list_messages(tmp_path):
    turns = [{"role": "user", "content": "x"}]
    path = book(tmp_path / "a.xlsx", one=[("messages", "n"), (json.dumps(turns), "y")])
    assert [row.data for row in read_rows(path).rows] == [{"messages": turns, "n": "y"}]


def test_what_is_hidden_is_read_and_said(tmp_path):
    made = Workbook()
    made.remove(made.active)
    for title in ("shown", "old"):
        sheet = made.create_sheet(title)
        for row in [HEAD, ("Q", "A", ""), ("Q2", "A2", "")]:
            sheet.append(row)
    made["shown"].row_dimensions[3].hidden = True
    made["shown"].column_dimensions["C"].hidden = True
    made["old"].sheet_state = "hidden"
    made.save(tmp_path / "a.xlsx")
    found = read_rows(tmp_path / "a.xlsx")
    assert [row.row for row in found.rows] == [2, 3, 5, 6]
    assert [(p.level, p.row, p.message) for p in found.problems] == [
        ("warning", 3, "1 row is hidden in sheet shown, as by a filter, and read"),
        ("warning", None, "column is hidden in sheet shown, and read: 3"),
        ("info", None, "sheet old: its row 1 is row 4 here"),
        ("warning", None, "sheet old is hidden, and is read"),
    ]


def with_xml(path: Path, *changes: tuple[str, str]) -> Path:
    """The workbook with these texts of its first sheet's XML in place of others."""
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    for old, new in changes:
        name = "xl/worksheets/sheet1.xml"
        assert old.encode() in parts[name]
        parts[name] = parts[name].replace(old.encode(), new.encode())
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return path


def test_a_prefix_before_each_name_hides_no_formula_and_no_merged_cell(tmp_path):
    path = merged(tmp_path / "a.xlsx", [HEAD, ("Q", "A", "x"), ("Q", "=A1"), ("Q", "A")])
    with_xml(path, ("<", "<x:"), ("<x:/", "</x:"), ("xmlns=", "xmlns:x="))
    found = read_rows(path)
    assert {row.row: row.data["on"] for row in found.rows} == {2: "x", 4: "x"}
    assert [p.row for p in found.problems if p.level == "error"] == [3]


@pytest.mark.parametrize("hidden", ['hidden="1"', "hidden='1'"])
def test_only_hidden_rows_and_columns_that_are_read_are_said(tmp_path, hidden):
    path = with_xml(
        book(tmp_path / "a.xlsx", shown=[HEAD, ("Q", "A", ""), (), ("Q2", "A2", "")]),
        ("<sheetData>", f'<cols><col min="3" max="16384" {hidden}/></cols><sheetData>'),
        ('<row r="4"', f'<row r="3" {hidden}/><row r="4" {hidden}'),
    )
    found = read_rows(path)
    assert [row.row for row in found.rows] == [2, 4]
    assert [(p.row, p.message) for p in found.problems] == [
        (4, "1 row is hidden in sheet shown, as by a filter, and read"),
        (None, "column is hidden in sheet shown, and read: 3"),
    ]


def test_rows_that_are_hidden_by_default_are_said(tmp_path):
    path = book(tmp_path / "a.xlsx", shown=[HEAD, ("Q", "A", ""), ("Q2", "A2", "")])
    path = with_xml(path, ("<sheetFormatPr ", '<sheetFormatPr zeroHeight="1" '))
    found = read_rows(path)
    assert [row.row for row in found.rows] == [2, 3]
    assert [(p.level, p.message) for p in found.problems] == [
        ("warning", "sheet shown hides its rows unless it says otherwise, and all are read"),
    ]


def test_five_hidden_columns_are_named_and_the_others_counted(tmp_path):
    names = (*HEAD, *"abcde")
    path = with_xml(
        book(tmp_path / "a.xlsx", shown=[names, names]),
        ("<sheetData>", '<cols><col min="2" max="16384" hidden="1"/></cols><sheetData>'),
    )
    (said,) = read_rows(path).problems
    assert said.message.endswith("hidden in sheet shown, and read: 2, 3, 4, 5, 6 and 2 more")


def test_hidden_columns_without_numbers_are_a_broken_workbook(tmp_path):
    path = with_xml(
        book(tmp_path / "a.xlsx", shown=[HEAD, ("Q", "A", "")]),
        ("<sheetData>", '<cols><col hidden="1"/></cols><sheetData>'),
    )
    (said,) = read_rows(path).problems
    assert said.message.startswith("broken workbook")


@pytest.mark.parametrize(
    ("value", "code", "shown"),
    [
        (1234, "00000", "01234"),
        (12345678901234, "General", "12345678901234"),
        (0.1 + 0.2, "General", "0.3"),
        (100.0, "General", "100"),
        (0.2561, "0.00%", "25.61%"),
        (2.5, "0", "3"),
        (1234567.5, "#,##0.00", "1,234,567.50"),
        (123456789, "000-00-0000", "123-45-6789"),
        (1234567890, "(000) 000-0000", "(123) 456-7890"),
        (-5, "#,##0;[Red](#,##0)", "(5)"),
        (5, "[$\u20ac-407] #,##0.00", "\u20ac 5.00"),
        (0, '0;-0;"none"', "none"),
        (0, '_-* #,##0.00_-;-* #,##0.00_-;_-* "-"??_-;_-@_-', "-"),
    ],
)
def test_a_number_is_read_as_the_workbook_shows_it(tmp_path, value, code, shown):
    path = book(tmp_path / "a.xlsx", one=[("prompt", "completion"), ("Q", value)])
    made = load_workbook(path)
    made["one"]["B2"].number_format = code
    made.save(path)
    found = read_rows(path)
    assert found.rows[0].data["completion"] == shown
    assert type(found.rows[0].data["completion"]) is str
    assert found.problems == ()


@pytest.mark.parametrize(
    ("value", "code", "read", "said"),
    [
        (12345678901234567, "0", "12345678901234570", "more than 15 digits"),
        (0.5, "# ?/?", "0.5", "a format that is not followed"),
        ("x" * 32_767, "General", "x" * 32_767, "32,767 characters"),
    ],
)
def test_what_a_workbook_loses_or_shows_otherwise_is_said(tmp_path, value, code, read, said):
    path = book(tmp_path / "a.xlsx", one=[("prompt", "completion"), ("Q", value)])
    made = load_workbook(path)
    made["one"]["B2"].number_format = code
    made.save(path)
    assert read_rows(path).rows[0].data["completion"] == read
    (problem,) = check(path).problems
    assert (problem.level, problem.key) == ("warning", "completion")
    assert said in problem.message


def test_a_workbook_that_is_only_named_as_packed_is_read(tmp_path):
    path = book(tmp_path / "a.xlsx", one=[HEAD, ("Q", "A", "")]).rename(tmp_path / "a.xlsx.gz")
    assert [row.data["completion"] for row in read_rows(path).rows] == ["A"]
