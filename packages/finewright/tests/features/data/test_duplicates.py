"""`data duplicates`: all files are one set, known held-out rows are said, a copy has no repeats."""

import json
from pathlib import Path

import pytest

from finewright.errors import DataError
from finewright.features.data.duplicates import duplicates
from finewright.report.show import text_of
from finewright.rows.fates import ReadOptions
from finewright.schema.duplicates import DuplicatesSpec

LONG = "the parcel was sent on monday by the depot in the north and has not been seen since then by anybody"
DROP = DuplicatesSpec(exact="drop", near="drop")


def write(path: Path, *pairs: tuple[str, str]) -> Path:
    rows = [json.dumps({"prompt": question, "completion": answer}) for question, answer in pairs]
    path.write_text("".join(f"{row}\n" for row in rows))
    return path


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path, Path]:
    return (
        write(tmp_path / "a.jsonl", ("where is it", LONG), ("what is new", "nothing"), ("where is it", LONG)),
        write(tmp_path / "b.jsonl", ("where is it", LONG.replace("parcel", "pracel")), ("who", "me")),
        write(tmp_path / "test.jsonl", ("what is new", "nothing"), ("why", "because")),
    )  # fmt: skip


def test_repeats_are_found_across_files_and_left_out_of_the_copy(files, tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    report = duplicates(files[:2], spec=DROP, out=out)
    assert (report.rows_in, report.rows_kept) == (5, 3)
    assert f"rows: {out}" in text_of(report).splitlines()
    assert report.rows_dropped == {"duplicate": 1, "near_duplicate": 1}
    kept = [json.loads(line)["messages"] for line in out.read_text().splitlines()]
    assert [turns[0]["content"] for turns in kept] == ["where is it", "what is new", "who"]
    assert duplicates([out], spec=DROP).found == {}


def test_held_out_rows_that_are_known_are_said(files) -> None:
    report = duplicates(files[:2], against=files[2:])
    (known,) = report.contamination
    assert (known.name, known.rows, known.found) == ("test.jsonl", 2, {"same": 1})
    assert any("test.jsonl are also trained on" in problem.message for problem in report.problems)


def test_a_named_column_holds_for_the_files_that_have_it(files, tmp_path: Path) -> None:
    held = tmp_path / "held.csv"
    held.write_text("mail,team\nwhat is new,nothing\nwhy,because\n")
    columns = {"prompt": "mail", "completion": "team"}
    report = duplicates(files[:2], against=[held], options=ReadOptions(columns=columns))
    assert report.passed
    assert report.contamination[0].found == {"same": 1}
    assert not duplicates(files[:2], options=ReadOptions(columns=columns)).passed


def test_the_text_names_the_rows(files) -> None:
    text = text_of(duplicates(files[:2], against=files[2:], spec=DROP))
    first, second, *_ = text.splitlines()
    assert first == "5 rows in, 3 kept, 1 duplicate, 1 near duplicate"
    assert second == "repeats: 1 exact, 1 near; 1 group, the largest of 3 rows"
    assert f"{files[1]}:1" in text
    assert "test.jsonl: of 2 rows known from training: 1 same" in text


def test_rows_that_cannot_be_used_are_said_and_files_are_not_overwritten(
    files, tmp_path: Path
) -> None:
    bad = tmp_path / "bad.jsonl"
    bad.write_text(files[0].read_text() + '{"prompt": 1, "completion": "x"}\n{"prompt": "Q"\n')
    report = duplicates([bad])
    assert (report.rows_in, report.rows_kept) == (5, 3)
    assert report.rows_dropped == {"invalid": 1, "unreadable": 1}
    assert not report.passed
    assert "2 rows could not be looked at" in text_of(report)
    with pytest.raises(DataError, match="which is read"):
        duplicates([files[0]], against=[files[1]], out=files[1])


def test_rows_that_are_not_listed_are_counted(tmp_path: Path) -> None:
    many = write(tmp_path / "many.jsonl", *[("where is it", LONG)] * 9)
    assert "and 3 more rows that repeat others" in text_of(duplicates([many]))


def test_rows_that_leak_are_left_out_of_the_copy_and_fail_where_that_is_wanted(
    files, tmp_path: Path
) -> None:
    out = tmp_path / "out.jsonl"
    report = duplicates(files[:2], against=files[2:], out=out, fail_on="leak")
    assert not report.passed
    assert report.rows_dropped == {"leak": 1}
    assert report.rows_kept == 4
    again = duplicates([out], against=files[2:], fail_on="leak")
    assert again.passed
    assert (again.rows_in, again.contamination[0].found) == (4, {})


def test_every_leak_is_listed(tmp_path: Path) -> None:
    rows = [(f"where is the parcel {i} of {i}", f"{LONG} {i}") for i in range(30)]
    one, other = write(tmp_path / "train.jsonl", *rows), write(tmp_path / "held.jsonl", *rows)
    (known,) = duplicates([one], against=[other]).contamination
    assert [leak.row for leak in known.examples] == list(range(1, 31))


def test_every_repeat_is_listed_and_what_differs_is_never_shown_as_one(tmp_path: Path) -> None:
    words = [f"word{i}" for i in range(400)]
    near = (" ".join(["where", *words]), " ".join(["whrre", *words]))
    path = write(
        tmp_path / "a.jsonl", *(("where is it", LONG),) * 40, *(("q", text) for text in near)
    )
    report = duplicates([path])
    assert (report.found, len(report.examples)) == ({"exact": 39, "near": 1}, 40)
    assert 0.99 < report.examples[-1].similarity < 1
    assert "0.998" in text_of(report)
