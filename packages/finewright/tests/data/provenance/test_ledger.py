"""The ledger says of each row what the files say, and its root is the one computed by hand."""

import hashlib
import json
from pathlib import Path

import pytest

from finewright.data.provenance.ledger import name_file, read_entries, read_leaves
from finewright.data.provenance.trace import trace, without
from finewright.errors import DataError, StoreError

from .made import made_run, sha256
from .test_merkle import is_included


def test_each_row_says_where_it_came_from(tmp_path: Path) -> None:
    made = made_run(tmp_path)
    first, second, held_out = read_entries(read_leaves(made.run.root / "data" / "ledger.jsonl"))
    lines = (made.run.root / "data" / "train.jsonl").read_bytes().splitlines()
    raw = (made.raw / "a.jsonl").read_bytes()
    record = {"prompt": "one?", "completion": "1", "license": "GPL-3.0-only", "source": "book"}
    canonical = json.dumps(record, sort_keys=True, separators=(",", ":")).encode()

    assert (first.split, first.position, first.row_sha256) == ("train", 1, sha256(lines[0]))
    assert (first.source, first.file, first.row) == ("a.jsonl", "a.jsonl", 1)
    assert (first.file_sha256, first.record_sha256) == (sha256(raw), sha256(canonical))
    assert (first.license, first.license_from) == ("GPL-3.0-only", "row")
    assert (first.owner, str(first.collected_at), first.origin) == ("A", "2026-01-02", "book")
    assert (first.id_before, first.changes) == (first.id, ())
    assert first.importer.startswith("finewright ")

    assert (second.source, second.file, second.row) == ("more", "more/b.jsonl", 1)
    assert (second.license, second.license_from) == ("unknown", "source")
    assert (second.synthetic_by, second.changes) == (
        "some-model",
        ("personal data and secrets replaced",),
    )
    assert second.id_before != second.id == made.rows[1].id

    assert (held_out.split, held_out.position, held_out.license) == ("eval", 1, "MIT")


def test_the_root_is_the_one_computed_by_hand(tmp_path: Path) -> None:
    made = made_run(tmp_path)
    a, b, c = (
        hashlib.sha256(b"\x00" + line).digest()
        for line in (made.run.root / "data" / "ledger.jsonl").read_bytes().splitlines()
    )
    ab = hashlib.sha256(b"\x01" + a + b).digest()
    assert made.summary.merkle_root == sha256(b"\x01" + ab + c)
    assert made.summary.sources == {"a.jsonl": 2, "more": 1}
    assert made.summary.licenses == {"GPL-3.0-only": 1, "unknown": 1, "MIT": 1}


def test_the_ledger_names_no_path_of_this_machine(tmp_path: Path) -> None:
    made = made_run(tmp_path)
    assert str(tmp_path) not in (made.run.root / "data" / "ledger.jsonl").read_text()


@pytest.mark.parametrize("name", ["1", "train:1", "id"])
def test_a_row_is_traced_by_its_place_or_id_and_proved(tmp_path: Path, name: str) -> None:
    made = made_run(tmp_path)
    found = trace(made.run, made.rows[0].id if name == "id" else name)
    assert [(e.file, e.row) for e in found.entries] == [("a.jsonl", 1)]
    line = (made.run.root / "data" / "ledger.jsonl").read_bytes().splitlines()[0]
    proof = [bytes.fromhex(text) for text in found.proofs[0]]
    assert is_included(line, 0, 3, proof, bytes.fromhex(made.summary.merkle_root))


def test_what_is_left_without_a_source(tmp_path: Path) -> None:
    made = made_run(tmp_path)
    left = without(made.run, "a.jsonl")
    assert (left.rows_removed, left.train, left.eval) == (2, (made.rows[1].id,), ())
    assert without(made.run, "more/b.jsonl").train == (made.rows[0].id,)


def test_names_that_are_not_there_are_said(tmp_path: Path) -> None:
    made = made_run(tmp_path)
    with pytest.raises(DataError) as no_source:
        without(made.run, "a.json")
    assert no_source.value.hint == "did you mean a.jsonl?"
    with pytest.raises(DataError, match="no row 'train:9'"):
        trace(made.run, "train:9")
    (made.run.root / "data" / "ledger.jsonl").unlink()
    with pytest.raises(StoreError, match="no ledger"):
        trace(made.run, "1")


def test_files_are_called_as_the_spec_calls_their_source(tmp_path: Path) -> None:
    manifest = tmp_path / "dataset_info.json"
    manifest.write_text("{}")
    named = [
        name_file("d", tmp_path, str(tmp_path / "x" / "a.jsonl")),
        name_file("d/", tmp_path, str(tmp_path / "a.jsonl")),
        name_file("d/dataset_info.json", manifest, str(tmp_path / "a.jsonl")),
        name_file("d/dataset_info.json", manifest, str(manifest)),
        name_file("hub:o/n", Path("hub:o/n"), "/cache/snapshots/1/a.parquet"),
    ]
    assert named == [
        "d/x/a.jsonl", "d/a.jsonl", "d/a.jsonl", "d/dataset_info.json", "hub:o/n/a.parquet",
    ]  # fmt: skip


def test_what_is_left_without_some_rows(tmp_path: Path) -> None:
    made = made_run(tmp_path)
    first, second = made.rows[0].id, made.rows[1].id
    left = without(made.run, f"{first},{second}")
    assert left.rows_removed == 2
    assert not {first, second} & {*left.train, *left.eval}
    assert without(made.run, "train:1").rows_removed == 1
    with pytest.raises(DataError, match="no source"):
        without(made.run, f"{first},never")
