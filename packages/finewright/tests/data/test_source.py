"""A source is all its rows, the digest of each record, and what became of every row."""

import hashlib
import json
from pathlib import Path

import pytest

from finewright.data.provenance.ledger import record_digest
from finewright.data.scale.reading import read_sources
from finewright.data.source import SourceRows, source_digest, source_path
from finewright.schema.data import DataSpec
from finewright.store.keys import digest

PAIR = {"prompt": "Q", "completion": "A"}
RANKED = {"prompt": "Q", "chosen": "good", "rejected": "bad"}


def write(path: Path, *rows: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join((r if isinstance(r, str) else json.dumps(r)) + "\n" for r in rows))
    return path


def read(path: Path, **source: object) -> SourceRows:
    spec = DataSpec.model_validate({"sources": [{"path": str(path), **source}]})
    return read_sources(spec, [path], spec.personal_data).sources[0]


def lines(found: SourceRows) -> list[str]:
    return [problem.line() for problem in found.tally.listing.problems()]


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_folder_is_its_files_in_order_and_each_row_names_its_own(tmp_path: Path) -> None:
    write(tmp_path / "b" / "two.jsonl", RANKED)
    write(tmp_path / "c.csv", "prompt,completion", "Q,A", "R,B")
    write(tmp_path / "a.jsonl", PAIR)
    found = read(tmp_path)
    assert [(row.file, row.row) for row in found.rows] == [
        (str(tmp_path / "a.jsonl"), 1),
        (str(tmp_path / "b" / "two.jsonl"), 1),
        (str(tmp_path / "c.csv"), 2),
        (str(tmp_path / "c.csv"), 3),
    ]
    assert found.tally.types == {"prompt_completion": 3, "preference": 1}
    assert lines(found) == []


def test_what_became_of_the_rows_adds_up(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", PAIR, "{", {"messages": []}, "", RANKED, "[1]", {"x": 1})
    counts = read(path).tally.counts()
    assert (counts.rows_in, counts.rows_kept) == (6, 2)
    assert counts.rows_dropped == {"unreadable": 2, "invalid": 2}
    assert counts.rows_in == counts.rows_kept + sum(counts.rows_dropped.values())


def test_a_record_of_several_rows_counts_as_so_many_and_has_one_digest(tmp_path: Path) -> None:
    said = [
        {"role": "assistant", "text": f"A{rank}", "rank": rank, "replies": []} for rank in range(2)
    ]
    more = [{"role": "prompter", "text": "And?", "replies": said}]
    replies = [{**said[0], "replies": more}, said[1]]
    record = {"prompt": {"role": "prompter", "text": "Q", "replies": replies}}
    path = write(tmp_path / "a.jsonl", record)
    spec = DataSpec.model_validate({"sources": [{"path": "a.jsonl"}], "type": "preference"})
    [found] = read_sources(spec, [path], spec.personal_data).sources
    assert sorted(len(row.messages) for row in found.rows) == [2, 4]
    assert found.tally.rows_in == 2
    assert found.records == {(str(path), 1): record_digest(record)}


def test_every_record_that_can_be_read_has_its_digest_whatever_its_container(
    tmp_path: Path,
) -> None:
    rows = [PAIR, {"x": "no row that trains"}, RANKED]
    canonical = [
        json.dumps(row, sort_keys=True, ensure_ascii=False, separators=(",", ":")) for row in rows
    ]
    expected = [hashlib.sha256(text.encode()).hexdigest() for text in canonical]
    as_lines = read(write(tmp_path / "a.jsonl", *rows, "{"))
    as_array = read(write(tmp_path / "a.json", json.dumps(rows)))
    assert [*as_lines.records.values()] == [*as_array.records.values()] == expected
    assert [row for _, row in as_lines.records] == [1, 2, 3]


def test_a_missing_file_is_one_problem_and_no_rows(tmp_path: Path) -> None:
    write(tmp_path / "rows.jsonl", PAIR)
    found = read(tmp_path / "row.jsonl")
    assert lines(found) == [
        f"{tmp_path / 'row.jsonl'}: there is no such file (did you mean rows.jsonl?)"
    ]
    assert (found.tally.rows_in, found.describe().sha256) == (0, "")


def test_an_unknown_format_names_its_key_and_reads_nothing(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", PAIR)
    spec = DataSpec.model_validate(
        {"sources": [{"path": "a.jsonl"}, {"path": "a.jsonl", "format": "alpacca"}]}
    )
    _, found = read_sources(spec, [path, path], spec.personal_data).sources
    (problem,) = found.tally.listing.problems()
    assert (problem.level, problem.key) == ("error", "data.sources.1.format")
    assert problem.message == "unknown format 'alpacca'"
    assert "alpaca" in problem.hint
    assert (found.rows, found.records) == ([], {})


def test_a_hub_data_set_is_not_fetched_where_that_is_forbidden(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    pytest.importorskip("huggingface_hub")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    path = source_path("hub:finewright-tests/none", lambda name: tmp_path / name)
    assert path == Path("hub:finewright-tests/none")
    found = read(path)
    (problem,) = found.tally.listing.problems()
    assert (problem.level, problem.file) == ("error", "hub:finewright-tests/none")
    assert found.rows == []
    assert source_digest(path) == ""


def test_a_path_starts_where_the_spec_lies(tmp_path: Path) -> None:
    assert source_path("a/b.jsonl", lambda name: tmp_path / name) == tmp_path / "a" / "b.jsonl"


def test_a_manifest_says_how_each_of_its_files_is_read(tmp_path: Path) -> None:
    write(tmp_path / "asked.jsonl", {"frage": "Q", "antwort": "A"})
    write(
        tmp_path / "chat.jsonl",
        {"turns": [{"who": "u", "says": "Q"}, {"who": "a", "says": "A"}]},
    )
    manifest = {
        "one": {"file_name": "asked.jsonl", "columns": {"prompt": "frage", "response": "antwort"}},
        "two": {
            "file_name": "chat.jsonl",
            "formatting": "sharegpt",
            "columns": {"messages": "turns"},
            "tags": {
                "role_tag": "who", "content_tag": "says", "user_tag": "u", "assistant_tag": "a"
            },
        },
    }  # fmt: skip
    (tmp_path / "dataset_info.json").write_text(json.dumps(manifest))
    found = read(tmp_path)
    assert lines(found) == []
    asked, chat = found.rows
    assert [m["content"] for m in asked.messages] == [m["content"] for m in chat.messages]
    assert found.for_ledger().format == "alpaca, sharegpt"
    # What the user says of a source goes before what its manifest says.
    refused = read(tmp_path, format="openai")
    assert refused.tally.dropped == {"invalid": 2}


def test_columns_of_the_spec_are_the_names_in_the_file(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", {"question": "Q", "reply": "A"})
    columns = {"prompt": "question", "completion": "reply"}
    (row,) = read(path, columns=columns).rows
    assert [message["content"] for message in row.messages] == ["Q", "A"]


def test_the_digest_of_a_file_is_its_sha256(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", PAIR)
    assert source_digest(path) == sha256(path)
    assert source_digest(tmp_path / "none.jsonl") == ""


def test_the_digest_of_a_folder_is_that_of_what_is_read_wherever_it_lies(tmp_path: Path) -> None:
    for folder in ("here", "there"):
        write(tmp_path / folder / "a.jsonl", PAIR)
        write(tmp_path / folder / "b" / "c.jsonl", RANKED)
    here, there = (source_digest(tmp_path / folder) for folder in ("here", "there"))
    files = [["a.jsonl", sha256(tmp_path / "here" / "a.jsonl")]]
    files += [["b/c.jsonl", sha256(tmp_path / "here" / "b" / "c.jsonl")]]
    assert here == there == digest(files)
    write(tmp_path / "there" / "notes.md", "not read beside rows")
    assert source_digest(tmp_path / "there") == here
    (tmp_path / "there" / "a.jsonl").rename(tmp_path / "there" / "z.jsonl")
    assert source_digest(tmp_path / "there") != here
    (tmp_path / "empty").mkdir()
    assert source_digest(tmp_path / "empty") == ""


def test_a_source_is_described_as_its_owner_said(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", PAIR)
    told = read(path, license="MIT", owner="us").describe()
    assert (told.path, told.sha256, told.license, told.owner) == (
        str(path),
        sha256(path),
        "MIT",
        "us",
    )


def test_a_source_is_read_in_the_encoding_that_it_states(tmp_path: Path) -> None:
    text = json.dumps({"prompt": "Привет?", "completion": "Да"}, ensure_ascii=False)
    path = tmp_path / "a.jsonl"
    path.write_bytes(text.encode("cp1251"))
    assert [row.prompt[0]["content"] for row in read(path, encoding="cp1251").rows] == ["Привет?"]
    assert "--encoding cp1251" in lines(read(path))[0]
    assert lines(read(path, encoding="cp9"))[0].startswith("data.sources.0.encoding: unknown")
