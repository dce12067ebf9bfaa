"""A small run made by the ledger: two raw files, and the rows of both."""

import hashlib
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from finewright.data.provenance.ledger import RowOrigins, SourceRecords, record_digest, write_ledger
from finewright.data.validate import validate
from finewright.rows.read import read_rows
from finewright.rows.texts import with_texts
from finewright.schema.data import SourceSpec
from finewright.schema.provenance import LedgerSummary
from finewright.schema.rows import Row, write_rows
from finewright.store.manifest import FinishedStage, Manifest, write_manifest
from finewright.store.rundir import RunDir


class Made(NamedTuple):
    run: RunDir
    raw: Path
    summary: LedgerSummary
    rows: tuple[Row, ...]

    def resolve(self, name: str) -> Path:
        return self.raw / name


def line(question: str, answer: str, **columns: object) -> str:
    return json.dumps({"prompt": question, "completion": answer, **columns})


def made_run(tmp_path: Path) -> Made:
    raw = tmp_path / "raw"
    (raw / "more").mkdir(parents=True)
    (raw / "a.jsonl").write_text(
        "\n".join([line("one?", "1", license="GPL-3.0-only", source="book"), line("two?", "2")])
        + "\n"
    )
    (raw / "more" / "b.jsonl").write_text(line("mail?", "me@here.org") + "\n")
    specs = [
        SourceSpec.model_validate(
            {"path": "a.jsonl", "license": "MIT", "owner": "A", "collected_at": "2026-01-02"}
        ),
        SourceSpec(path="more", synthetic_by="some-model"),
    ]
    sources, rows = [], []
    for spec, path, file in ((specs[0], raw / "a.jsonl", raw / "a.jsonl"),
                             (specs[1], raw / "more", raw / "more" / "b.jsonl")):  # fmt: skip
        read = read_rows(file)
        sources.append(
            SourceRecords(spec, path, {(r.file, r.row): record_digest(r.data) for r in read.rows})
        )
        rows += validate(read.rows, "auto").rows
    redacted = [
        with_texts(row, lambda said: said.text.replace("me@here.org", "[email]")) for row in rows
    ]
    train, held_out = [redacted[0], redacted[2]], [redacted[1]]
    run = RunDir(tmp_path / "run")
    run.root.mkdir()
    begun = {"run": FinishedStage(key="k", finished=datetime(2026, 1, 2, tzinfo=UTC))}
    write_manifest(run, Manifest(finewright="1", key="k", stages=begun, artifacts=()))
    folder = run.stage_dir("data")
    (folder / "train.jsonl").write_text(write_rows(train))
    (folder / "eval.jsonl").write_text(write_rows(held_out))
    summary = write_ledger(folder, RowOrigins(sources).entries(train, held_out))
    (folder / "report.json").write_text(json.dumps({"ledger": summary.model_dump(mode="json")}))
    return Made(run, raw, summary, (*train, *held_out))


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
