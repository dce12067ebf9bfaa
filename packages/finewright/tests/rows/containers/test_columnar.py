"""Parquet and Arrow files that pyarrow and pandas write are read back row by row."""

from datetime import date
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from finewright.rows.containers.found import Repair
from finewright.rows.read import ReadRows, read_rows

CHAT = [
    {"messages": [{"role": "user", "content": "Q"}, {"role": "assistant", "content": "A"}]},
    {"messages": [{"role": "assistant", "content": None, "tool_calls": [{"id": "1"}]}]},
]


def write_parquet(path: Path, table: pa.Table) -> None:
    pq.write_table(table, path)


def write_file(path: Path, table: pa.Table) -> None:
    with pa.ipc.new_file(str(path), table.schema) as writer:
        writer.write_table(table)


def write_stream(path: Path, table: pa.Table) -> None:
    with pa.ipc.new_stream(str(path), table.schema) as writer:
        writer.write_table(table)


WRITERS = [write_parquet, write_file, write_stream]


def read(folder: Path, table: pa.Table, write=write_parquet) -> ReadRows:
    write(folder / "rows.bin", table)
    return read_rows(folder / "rows.bin", name="rows.bin")


@pytest.mark.parametrize("write", WRITERS)
def test_rows_count_from_1_across_batches(tmp_path, write):
    found = read(tmp_path, pa.table({"a": list(range(700)), "b": ["x"] * 700}), write)
    assert [row.row for row in found.rows] == list(range(1, 701))
    assert [row.data["a"] for row in found.rows] == list(range(700))
    assert found.problems == ()


@pytest.mark.parametrize("write", WRITERS)
def test_keys_that_arrow_fills_with_null_are_left_out(tmp_path, write):
    found = read(tmp_path, pa.Table.from_pylist(CHAT), write)
    assert found.rows[0].data == CHAT[0]
    assert found.rows[1].data == {"messages": [{"role": "assistant", "tool_calls": [{"id": "1"}]}]}


def test_values_that_json_cannot_say_are_written_otherwise_or_left_out_and_named(tmp_path):
    table = pa.table(
        {
            "x": [1.5, float("nan"), float("inf")],
            "on": [date(2026, 1, 2)] * 3,
            "sum": [Decimal("1.50")] * 3,
            "map": pa.array([[("k", 1)], [], []], pa.map_(pa.string(), pa.int64())),
        }
    )
    found = read(tmp_path, table)
    others = {"on": "2026-01-02", "sum": "1.50"}
    assert [row.data for row in found.rows] == [
        {"x": 1.5, **others, "map": {"k": 1}},
        {**others, "map": []},
        {**others, "map": []},
    ]
    assert [row.repairs for row in found.rows] == [(), *[(Repair("not_a_number", "x"),)] * 2]


def test_bytes_and_nul_are_refused_by_their_row(tmp_path):
    found = read(tmp_path, pa.table({"a": ["ok", "x\0"], "b": [None, b"png"]}))
    assert [row.row for row in found.rows] == [1]
    assert found.num_bad == 1


def test_text_that_is_not_utf8_costs_its_row_alone(tmp_path):
    bad = pa.array([b"ok", b"\xff\xfe", b"fine"], pa.binary()).view(pa.string())
    found = read(tmp_path, pa.table({"a": bad}))
    assert [row.data["a"] for row in found.rows] == ["ok", "fine"]
    assert [(p.row, p.message) for p in found.problems] == [(2, "text that is not UTF-8")]


@pytest.mark.parametrize("write", WRITERS)
def test_a_cut_file_is_one_clear_line_and_what_was_whole_is_read(tmp_path, write):
    path = tmp_path / "rows.bin"
    write(path, pa.table({"a": ["x" * 100 + str(i) for i in range(5000)]}))
    path.write_bytes(path.read_bytes()[:-3000])
    found = read_rows(path)
    assert [p.level for p in found.problems] == ["error"]
    assert "broken" in found.problems[0].message


def test_a_column_of_bytes_is_left_out_and_said(tmp_path):
    table = pa.table({"prompt": ["Q"], "picture": [b"\x89PNG"], "completion": ["A"]})
    pq.write_table(table, tmp_path / "a.parquet")
    found = read_rows(tmp_path / "a.parquet")
    assert [row.data for row in found.rows] == [{"prompt": "Q", "completion": "A"}]
    assert [problem.message for problem in found.problems] == [
        "columns of bytes are not read: picture"
    ]


@pytest.mark.parametrize("write", WRITERS)
def test_bytes_inside_a_column_are_left_out_and_said_and_the_rows_are_read(tmp_path, write):
    picture = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    table = pa.table(
        {
            "prompt": ["Q", "R"],
            "image": pa.array([{"bytes": b"png", "path": "a.png"}, None], picture),
            "few": pa.array([[b"x"], None], pa.list_(pa.binary())),
            "about": [[{"on": {"n": 1, "raw": b"y"}}], []],
            "named": pa.array([[("k", b"z")], []], pa.map_(pa.string(), pa.binary())),
            "completion": ["A", "B"],
        }
    )
    found = read(tmp_path, table, write)
    assert [row.data for row in found.rows] == [
        {"prompt": "Q", "about": [{"on": {"n": 1}}], "named": {}, "completion": "A"},
        {"prompt": "R", "about": [], "named": [], "completion": "B"},
    ]
    assert [(p.level, p.message) for p in found.problems] == [
        ("warning", "columns of bytes are not read: image, few, about.on.raw, named.k")
    ]
