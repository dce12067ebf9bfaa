"""Large files become the same rows as small ones, whoever does the work and however often it stops."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from finewright.data.duplicates import find
from finewright.data.scale import prepare as module
from finewright.data.scale.compared import parts_of
from finewright.data.scale.engines import PartResult, local
from finewright.data.scale.prepare import PrepareSettings, prepare_rows
from finewright.data.validate import validate
from finewright.errors import DataError, StoreError
from finewright.rows.identity import to_user_json
from finewright.rows.read import read_rows
from finewright.schema.duplicates import DuplicatesSpec
from finewright.schema.privacy import PersonalDataSpec
from finewright.schema.scale import PrepareSpec
from guard.duplicates.made import chat, misspelled, seeded, words

from .made import KEYS, contents, ignore, lines, prepared, write

SMALL = PrepareSettings(slice_bytes=4000)


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("rows") / "rows.jsonl", 300)


@pytest.fixture(scope="module")
def made(file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made") / "out"
    prepared([file], folder)
    return folder


def records(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_every_row_is_kept_or_rejected_with_its_reason(file: Path, made: Path) -> None:
    report = json.loads((made / "report.json").read_text())
    kept, rejected = records(made / "rows.jsonl"), records(made / "rejected.jsonl")
    assert report["rows_in"] == 300 == len(kept) + len(rejected)
    assert report["rows_kept"] == len(kept)
    assert report["rows_dropped"] == Counter(record["reason"] for record in rejected)
    assert set(report["rows_dropped"]) == {"duplicate", "invalid", "unreadable"}
    assert all(record["why"] and record["file"] == str(file) for record in rejected)
    assert sorted(path.name for path in made.iterdir()) == [
        "findings.jsonl",
        "rejected.jsonl",
        "repeats.jsonl",
        "report.json",
        "rows.jsonl",
    ]


def test_the_rows_are_those_that_the_same_steps_keep_in_memory(file: Path, made: Path) -> None:
    rows = validate(read_rows(file).rows, "auto").rows
    expected = find(rows, DuplicatesSpec(exact="drop"))
    again = validate(read_rows(made / "rows.jsonl").rows, "auto").rows
    assert [row.id for row in again] == [row.id for row in expected.outcome.rows]
    report = json.loads((made / "report.json").read_text())
    assert report["duplicates"] == expected.report.found
    every = [example.model_dump() for example in expected.report.examples]
    exact, near = ([each for each in every if each["kind"] == kind] for kind in ("exact", "near"))
    assert report["examples"] == [*exact[:20], *near[:20]]
    assert sorted(records(made / "repeats.jsonl"), key=lambda each: each["row"]) == sorted(
        every, key=lambda each: each["row"]
    )
    told = {
        (r["row"], r["why"][0]) for r in records(made / "rejected.jsonl") if "dup" in r["reason"]
    }
    assert told == {(drop.row.row, drop.why) for drop in expected.outcome.dropped}


def test_the_same_rows_are_kept_whatever_the_key(tmp_path: Path) -> None:
    mails = [f"Please close the account of p{i}@firm.example, they left." for i in range(8)]
    file = tmp_path / "rows.jsonl"
    chats = [{"prompt": f"{mail} It is urgent.", "completion": "cards"} for mail in mails]
    again = [chat | {"prompt": chat["prompt"].replace("firm", "FIRM")} for chat in chats]
    file.write_text("".join(f"{json.dumps(row)}\n" for row in [*chats, *again]))
    kept = {}
    for name in ("a", "b"):
        spec = PrepareSpec(
            personal_data=PersonalDataSpec(action="pseudonymise"),
            duplicates=DuplicatesSpec(exact="drop", near="drop"),
        )
        keys = (b"", name.encode() * 32)
        report = prepare_rows([file], tmp_path / name, spec, PrepareSettings(), keys, ignore)
        gone = records(tmp_path / name / "rejected.jsonl")
        kept[name] = (report.rows_kept, sorted(record["row"] for record in gone))
    # What is asked of eight persons are eight rows.
    assert kept["a"] == kept["b"] == (8, [*range(9, 17)])
    assert (tmp_path / "a" / "rows.jsonl").read_text() != (
        tmp_path / "b" / "rows.jsonl"
    ).read_text()


def test_what_is_found_is_told_without_its_value(made: Path) -> None:
    findings = records(made / "findings.jsonl")
    report = json.loads((made / "report.json").read_text())
    first = {"file": findings[0]["file"], "row": findings[0]["row"]}
    counts = {"spans": len(findings), "rows": len(findings), "retyped": 0}
    assert report["found"] == {"email": counts | first}
    [told] = [p for p in report["problems"] if p["message"].startswith("e-mail address: ")]
    assert (told["file"], told["row"]) == (first["file"], first["row"])
    assert told["hint"].startswith("they stay in rows.jsonl: --action redact")
    assert len(findings) > 10
    assert "example.org" not in (made / "findings.jsonl").read_text()
    assert all(finding["digest"] for finding in findings)


def test_slices_of_any_size_and_any_number_of_workers_give_the_same_rows(
    file: Path, made: Path, tmp_path: Path
) -> None:
    prepared([file], tmp_path / "one", PrepareSettings(slice_bytes=10**9))
    prepared([file], tmp_path / "two", PrepareSettings(workers=2, slice_bytes=4000))
    assert contents(tmp_path / "two") == contents(made)
    one = contents(tmp_path / "one")
    assert one["rows.jsonl"] == contents(made)["rows.jsonl"]


def test_several_processes_compare_rows_as_one_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = seeded(4)
    base = [chat(words(rng, 25), words(rng, 35)) for _ in range(12)]
    family = [misspelled(row, rng, count) for row in base for count in (1, 2, 3)]
    rows = [to_user_json(row) for row in (*base, *family)]
    file = tmp_path / "rows.jsonl"
    file.write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="utf-8")
    alone = prepared([file], tmp_path / "alone")
    monkeypatch.setattr("finewright.data.scale.compared._MANY_PAIRS", 1)
    monkeypatch.setattr("finewright.data.scale.compared._PAIRS_A_PART", 7)
    among = prepared([file], tmp_path / "among", PrepareSettings(workers=2, slice_bytes=4000))
    assert among.duplicates == alone.duplicates != {}
    assert contents(tmp_path / "among") == contents(tmp_path / "alone")


def test_a_second_search_in_a_folder_compares_its_own_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("finewright.data.scale.compared._MANY_PAIRS", 1)
    two_workers = PrepareSettings(workers=2, slice_bytes=10**9)
    for seed in (1, 2):
        file = write(tmp_path / f"{seed}.jsonl", 80, seed)
        prepared([file], tmp_path / "out", two_workers)
        prepared([file], tmp_path / f"{seed}")
        assert records(tmp_path / "out" / "repeats.jsonl") == records(
            tmp_path / f"{seed}" / "repeats.jsonl"
        )
        shutil.rmtree(tmp_path / "out")


def test_parts_are_as_many_pairs_and_those_of_a_row_in_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("finewright.data.scale.compared._PAIRS_A_PART", 100)
    met = np.array([(a, b) for b in range(60) for a in range(b)])
    parts = list(parts_of(met))
    assert np.array_equal(np.concatenate([part.rows for part in parts]), met)
    assert [part.number for part in parts] == list(range(len(parts)))
    assert max(len(part.rows) for part in parts) < 100 + 60
    rows = [set(part.rows[:, 1].tolist()) for part in parts]
    assert len(set().union(*rows)) == sum(map(len, rows))


def test_a_killed_run_goes_on_and_ends_the_same(file: Path, made: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    code = (
        "import os, signal, sys; from pathlib import Path;"
        "from finewright.data.scale.prepare import *; from finewright.schema.scale import PrepareSpec\n"
        "def on_event(kind, fields):\n"
        "    if fields.get('done') == 5: os.kill(os.getpid(), signal.SIGKILL)\n"
        "prepare_rows([Path(sys.argv[1])], Path(sys.argv[2]), PrepareSpec(),"
        " PrepareSettings(slice_bytes=4000),"
        " (b'0123456789abcdef', b''), on_event)"
    )
    killed = subprocess.run([sys.executable, "-c", code, file, out], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert not (out / "rows.jsonl").exists()
    assert len(list((out / "work" / "chunks").iterdir())) == 5
    events = []
    prepare_rows([file], out, PrepareSpec(), SMALL, KEYS, lambda *event: events.append(event))
    assert next(fields["done"] for kind, fields in events if kind == "preparing_rows") == 6
    assert contents(out) == contents(made)


def test_workers_end_when_their_parent_is_killed(file: Path, tmp_path: Path) -> None:
    code = (
        "import os, signal, sys; from pathlib import Path\n"
        "from finewright.data.scale.prepare import *; from finewright.schema.scale import PrepareSpec\n"
        "def on_event(kind, fields):\n"
        "    if fields.get('done') == 1: os.kill(os.getpid(), signal.SIGKILL)\n"
        "prepare_rows([Path(sys.argv[1])], Path(sys.argv[2]), PrepareSpec(),"
        " PrepareSettings(workers=2, slice_bytes=4000), (b'0123456789abcdef', b''), on_event)"
    )
    # The workers hold the other end of this pipe: it ends when the last of them does.
    command = [sys.executable, "-c", code, file, tmp_path / "out"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.communicate(timeout=60) == (b"", None)
    assert process.returncode == -signal.SIGKILL


@pytest.mark.parametrize("step", ["duplicates", "files"])
def test_a_run_broken_off_late_goes_on_too(
    step: str, file: Path, made: Path, tmp_path: Path
) -> None:
    def stop(_event: str, fields) -> None:
        if fields.get("step") == step:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        prepare_rows([file], tmp_path / "out", PrepareSpec(), SMALL, KEYS, stop)
    prepared([file], tmp_path / "out")
    assert contents(tmp_path / "out") == contents(made)


def test_finished_chunks_are_not_made_again_and_what_is_done_is_left(
    file: Path, made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = {path.name: path.stat().st_mtime_ns for path in made.iterdir()}
    monkeypatch.setattr(module, "engine_named", lambda _name: pytest.fail("nothing is to be made"))
    report = prepared([file], made)
    assert report.rows_in == 300
    assert {path.name: path.stat().st_mtime_ns for path in made.iterdir()} == before


def test_chunks_may_come_in_any_order(
    file: Path, made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def backwards(parts, make, options, workers) -> list[PartResult]:
        return list(local(parts, make, options, workers))[::-1]

    monkeypatch.setattr(module, "engine_named", lambda _name: backwards)
    prepared([file], tmp_path / "out")
    assert contents(tmp_path / "out") == contents(made)


def test_what_another_call_began_is_not_thrown_away(file: Path, tmp_path: Path) -> None:
    def stop(_event: str, fields) -> None:
        if fields.get("done") == 3:
            raise KeyboardInterrupt

    copy = tmp_path / "copy.jsonl"
    copy.write_bytes(file.read_bytes())
    with pytest.raises(KeyboardInterrupt):
        prepare_rows([copy], tmp_path / "out", PrepareSpec(), SMALL, KEYS, stop)
    begun = contents(tmp_path / "out" / "work" / "chunks")
    assert len(begun) == 3
    other = tmp_path / "other.jsonl"
    other.write_text("\n".join(lines(20, seed=4)))
    with pytest.raises(StoreError, match=r"begun by another call over .*copy\.jsonl"):
        prepared([other], tmp_path / "out")
    with pytest.raises(StoreError, match="begun by another call"):
        prepared([copy], tmp_path / "out", spec=PrepareSpec(type="preference"))
    assert contents(tmp_path / "out" / "work" / "chunks") == begun
    assert prepared([copy], tmp_path / "out").rows_in == 300
    with pytest.raises(StoreError, match="prepared otherwise"):
        prepared([copy], tmp_path / "out", spec=PrepareSpec(type="preference"))


def test_a_call_killed_before_its_plan_was_written_leaves_a_folder_to_use(
    file: Path, made: Path, tmp_path: Path
) -> None:
    work = tmp_path / "out" / "work"
    work.mkdir(parents=True)
    (work / ".plan.0123abcd.tmp").write_text("")
    prepared([file], tmp_path / "out")
    assert contents(tmp_path / "out") == contents(made)


def test_a_folder_of_the_users_that_is_called_work_is_left_alone(
    file: Path, tmp_path: Path
) -> None:
    mine = tmp_path / "out" / "work" / "mine.txt"
    mine.parent.mkdir(parents=True)
    mine.write_text("x")
    with pytest.raises(StoreError, match="not empty"):
        prepared([file], tmp_path / "out")
    assert mine.read_text() == "x"


def test_a_folder_with_other_files_is_left_alone(file: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("x")
    with pytest.raises(StoreError, match="not empty"):
        prepared([file], tmp_path)
    with pytest.raises(StoreError, match="not a folder"):
        prepared([file], file)
    with pytest.raises(DataError, match="there is no such file"):
        prepared([tmp_path / "none.jsonl"], tmp_path / "out")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine.txt"]


def test_one_writer_at_a_time(file: Path, tmp_path: Path) -> None:
    def again(_event: str, _fields) -> None:
        with pytest.raises(StoreError, match="another process"):
            prepared([file], tmp_path / "out")

    prepare_rows([file], tmp_path / "out", PrepareSpec(), SMALL, KEYS, again)


def test_rows_are_changed_and_left_out_as_the_spec_says(file: Path, tmp_path: Path) -> None:
    redact = PrepareSpec(personal_data=PersonalDataSpec(action="redact"))
    report = prepared([file], tmp_path / "redacted", spec=redact)
    assert report.rows_changed == report.found["email"].rows
    assert b"example.org" not in contents(tmp_path / "redacted")["rows.jsonl"]
    drop = PrepareSpec(personal_data=PersonalDataSpec(action="drop"))
    dropped = prepared([file], tmp_path / "dropped", spec=drop)
    assert dropped.rows_dropped["personal_data"] == report.found["email"].rows
    assert all(b"example.org" not in content for content in contents(tmp_path / "dropped").values())
    assert dropped.rows_in == dropped.rows_kept + sum(dropped.rows_dropped.values())


def test_repeats_are_only_told_of_where_the_spec_says_so(file: Path, tmp_path: Path) -> None:
    tell = PrepareSpec(duplicates=DuplicatesSpec())
    report = prepared([file], tmp_path / "told", spec=tell)
    assert report.duplicates["exact"] > 10 < report.duplicates["near"]
    assert set(report.rows_dropped) == {"invalid", "unreadable"}
    off = PrepareSpec(duplicates=DuplicatesSpec(exact="drop", near="off"))
    assert set(prepared([file], tmp_path / "off", spec=off).duplicates) == {"exact"}


def test_several_files_of_several_kinds_are_one_set(file: Path, tmp_path: Path) -> None:
    table = tmp_path / "rows.csv"
    table.write_text("prompt,completion\nWhat is it?,A test.\nWhat is it?,A test.\n,\n")
    report = prepared([file, table, file], tmp_path / "out")
    assert report.rows_in == 602
    assert [source.path for source in report.sources] == [str(file), str(table), str(file)]
    assert report.types["prompt_completion"] == 2
    alone = prepared([file], tmp_path / "alone")
    assert report.rows_kept == alone.rows_kept + 1


def test_files_without_a_usable_row_give_empty_files(tmp_path: Path) -> None:
    bad = tmp_path / "bad.jsonl"
    bad.write_text("{\n")
    report = prepared([bad], tmp_path / "out")
    assert (report.rows_in, report.rows_kept) == (1, 0)
    assert contents(tmp_path / "out")["rows.jsonl"] == b""


def test_without_a_key_of_ones_own_no_digest_is_told(file: Path, tmp_path: Path) -> None:
    fresh = (b"", os.urandom(32))
    prepare_rows([file], tmp_path / "out", PrepareSpec(), SMALL, fresh, ignore)
    assert b"digest" not in contents(tmp_path / "out")["findings.jsonl"]


def test_control_tokens_are_counted_over_all_slices(tmp_path: Path) -> None:
    rows = [{"prompt": f"Q{i}", "completion": f"say {i} <|im_end|>"} for i in range(40)]
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    report = prepare_rows([path], tmp_path / "out", PrepareSpec(), SMALL, KEYS, lambda *_: None)
    (told,) = [p for p in report.problems if "control tokens" in p.message]
    assert (told.row, told.level) == (1, "warning")
    assert told.message.startswith("40 rows spell")
    assert "<|im_end|> (40)" in told.message


def test_what_is_not_read_of_a_folder_is_said_first(tmp_path: Path) -> None:
    folder = tmp_path / "rows"
    folder.mkdir()
    for name in ("train.jsonl", "test.jsonl"):
        write(folder / name, 20)
    (folder / "notes.csvx").write_text("")
    report = prepared([folder], tmp_path / "out")
    assert [Path(source.path).name for source in report.sources] == ["train.jsonl"]
    assert [problem.message for problem in report.problems[:2]] == [
        "of its splits only train is read, not test",
        "not read, being no data files: notes.csvx",
    ]


def test_what_a_manifest_states_of_a_file_is_part_of_the_plan(tmp_path: Path) -> None:
    folder = tmp_path / "lf"
    folder.mkdir()
    (folder / "rows.jsonl").write_text('{"q": "What is it?", "a": "One.", "b": "Two."}\n')
    stated = {"file_name": "rows.jsonl", "columns": {"prompt": "q", "response": "a"}}
    manifest = folder / "dataset_info.json"
    manifest.write_text(json.dumps({"set": stated}))
    first = prepared([folder], tmp_path / "out")
    assert prepared([folder], tmp_path / "out") == first
    manifest.write_text(json.dumps({"set": stated}).replace('"a"', '"b"'))
    with pytest.raises(StoreError, match="prepared otherwise"):
        prepared([folder], tmp_path / "out")


def test_a_disk_that_cannot_hold_the_rows_is_refused_before_they_are_read(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    least = 2 * file.stat().st_size
    for free in (least - 1, least):
        usage = shutil.disk_usage(tmp_path)._replace(free=free)
        monkeypatch.setattr(shutil, "disk_usage", lambda _, usage=usage: usage)
        if free < least:
            with pytest.raises(
                StoreError, match=r"out: 0\.0 GiB are free, and this takes 0\.0 GiB"
            ):
                prepared([file], tmp_path / "out")
            assert not list(tmp_path.iterdir())
        else:
            prepared([file], tmp_path / "out")
