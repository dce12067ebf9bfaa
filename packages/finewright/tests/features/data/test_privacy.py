"""`data privacy`: a file in, a report and a clean copy out."""

import json
from pathlib import Path

import pytest

from finewright.errors import DataError
from finewright.features.data.privacy import privacy
from finewright.features.data.rows import read_options
from finewright.report.show import text_of
from finewright.schema.privacy import PersonalDataSpec, SecretsSpec

MESSAGES = [
    {"role": "user", "content": "I am ann@example.org"},
    {"role": "assistant", "content": "Hello ann@example.org"},
]


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    path = tmp_path / "rows.jsonl"
    path.write_text(json.dumps({"messages": MESSAGES}) + "\n{broken\n")
    return path


def test_a_copy_without_personal_data_is_written(rows: Path, tmp_path: Path) -> None:
    out = tmp_path / "clean.jsonl"
    personal = PersonalDataSpec(action="redact")
    report = privacy(rows, personal=personal, secrets=SecretsSpec(), out=out)
    written = [json.loads(line) for line in out.read_text().splitlines()]
    assert [turn["content"] for turn in written[0]["messages"]] == ["I am [EMAIL]", "Hello [EMAIL]"]
    assert report.counts.rows_in == 2
    assert report.counts.rows_kept == 1
    assert report.counts.rows_dropped == {"unreadable": 1}
    assert report.out == str(out)


def test_without_out_nothing_is_written(rows: Path, tmp_path: Path) -> None:
    before = rows.read_bytes()
    privacy(rows, personal=PersonalDataSpec(action="redact"), secrets=SecretsSpec(), out=None)
    assert rows.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["rows.jsonl"]


def test_the_file_itself_is_not_written_over(rows: Path) -> None:
    with pytest.raises(DataError, match="which is read"):
        privacy(rows, personal=PersonalDataSpec(), secrets=SecretsSpec(), out=rows)


def test_rows_are_read_as_a_manifest_or_the_user_says(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "rows.jsonl").write_text('{"q": "Who is it?", "a": "ann@example.org"}\n')
    about = {"mine": {"file_name": "rows.jsonl", "columns": {"prompt": "q", "response": "a"}}}
    (folder / "dataset_info.json").write_text(json.dumps(about))
    sections = {"personal": PersonalDataSpec(), "secrets": SecretsSpec(), "out": None}
    assert privacy(folder, **sections).found["email"].rows == 1
    options = read_options(columns={"prompt": "q", "completion": "a"})
    assert privacy(folder / "rows.jsonl", **sections, options=options).found["email"].rows == 1
    with pytest.raises(DataError, match="its only row"):
        privacy(folder / "rows.jsonl", **sections)


def test_what_is_not_looked_for_is_said(rows: Path) -> None:
    sections = {"secrets": SecretsSpec(), "out": None}
    text = text_of(privacy(rows, personal=PersonalDataSpec(), **sections))
    assert "\nnot looked for: name, address, url, crypto_address, bic (" in text
    assert "--kind name --kind email" in text


def test_one_key_file_gives_the_same_copy_twice(rows: Path, tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_bytes(b"k" * 32)
    personal = PersonalDataSpec(action="pseudonymise", key_file=str(key))
    copies = [tmp_path / "one.jsonl", tmp_path / "two.jsonl"]
    for copy in copies:
        privacy(rows, personal=personal, secrets=SecretsSpec(), out=copy)
    assert copies[0].read_bytes() == copies[1].read_bytes()
    assert b"ann@example.org" not in copies[0].read_bytes()


def test_a_short_key_is_refused(rows: Path, tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_bytes(b"short")
    personal = PersonalDataSpec(key_file=str(key))
    with pytest.raises(DataError, match="too few for a key"):
        privacy(rows, personal=personal, secrets=SecretsSpec(), out=None)


def test_the_report_as_text_counts_and_shows_no_value(rows: Path) -> None:
    report = privacy(rows, personal=PersonalDataSpec(), secrets=SecretsSpec(), out=None)
    text = text_of(report)
    assert "e-mail address: 2 in 1 row are left as they are" in text
    assert "2 rows read, 1 kept, 0 changed; left out: 1 unreadable" in text
    assert "ann@" not in text
