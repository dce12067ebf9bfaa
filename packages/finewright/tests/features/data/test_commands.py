"""`finewright data`: options reach the checks, gates fail closed, and hints name what can be typed."""

import json
from pathlib import Path

import pytest

from cli.conftest import Finewright

ROW = '{"q": "Who is it?", "a": "ann.smith@corp.example.org"}\n'
BROKEN = "{broken\n"
COLUMNS = ("--column", "prompt=q", "--column", "completion=a")
GATES = {
    "personal": (),
    "duplicates": (),
    "poison": ("--base-model", ""),
    "report": ("--out", "page.html"),
}


@pytest.fixture
def folder(project: Path) -> Path:
    """A data folder as LLaMA-Factory has it."""
    folder = project / "lf"
    folder.mkdir()
    (folder / "mine.jsonl").write_text(ROW)
    about = {"mine": {"file_name": "mine.jsonl", "columns": {"prompt": "q", "response": "a"}}}
    (folder / "dataset_info.json").write_text(json.dumps(about))
    return folder


@pytest.mark.parametrize("command", GATES)
def test_columns_reach_every_command_from_the_manifest_and_the_command_line(
    finewright: Finewright, folder: Path, command: str
) -> None:
    more = GATES[command]
    assert finewright("data", command, "lf", *more).code == 0
    assert finewright("data", command, "lf/mine.jsonl", *COLUMNS, *more).code == 0
    refused = finewright("data", command, "lf/mine.jsonl", *more)
    assert (refused.code, refused.out) == (2, "")
    assert "its only row cannot be used" in refused.err


@pytest.mark.parametrize("command", GATES)
def test_a_row_that_cannot_be_looked_at_and_a_mistyped_path_fail(
    finewright: Finewright, project: Path, command: str
) -> None:
    with (project / "rows.jsonl").open("a") as file:
        file.write(BROKEN)
    found = finewright("data", command, "rows.jsonl", *GATES[command])
    assert found.code == 2
    assert "1 row could not be looked at" in found.out
    missing = finewright("data", command, "none.jsonl", *GATES[command])
    assert missing.code == 2
    assert "there is no such file" in missing.err


def test_a_row_that_cannot_be_prepared_fails_and_the_others_are_written(
    finewright: Finewright, project: Path
) -> None:
    with (project / "rows.jsonl").open("a") as file:
        file.write(BROKEN)
    found = finewright("data", "prepare", "rows.jsonl", "--out", "made", "--workers", "1")
    assert found.code == 2
    assert "\nerror: rows.jsonl: 1 row could not be looked at" in found.out
    assert (project / "made" / "rows.jsonl").read_text()


def test_a_mistyped_held_out_file_passes_no_leak_gate(finewright: Finewright) -> None:
    found = finewright("data", "duplicates", "rows.jsonl", "--against", "tset.jsonl")
    assert (found.code, found.out) == (2, "")
    assert "did you mean test.jsonl?" in found.err


@pytest.mark.parametrize(
    "arguments",
    [
        ("personal", "rows.jsonl", "--out"),
        ("duplicates", "rows.jsonl", "--out"),
        ("poison", "rows.jsonl", "--base-model", "", "--out"),
        ("poison", "rows.jsonl", "--base-model", "", "--quarantine"),
        ("check", "rows.jsonl", "--problems"),
        ("check", "rows.jsonl", "--fix"),
        ("documents", "rows.jsonl", "--out"),
        ("sections", "rows.jsonl", "--out"),
        ("report", "rows.jsonl", "--out"),
    ],
)
def test_a_file_that_is_there_stays_as_it_is(
    finewright: Finewright, project: Path, arguments: tuple[str, ...]
) -> None:
    before = (project / "test.jsonl").read_text()
    found = finewright("data", *arguments, "test.jsonl")
    assert (found.code, found.out) == (2, "")
    assert found.err.splitlines() == [
        "error: test.jsonl: already there",
        " hint: name another file",
    ]
    assert (project / "test.jsonl").read_text() == before


def test_hints_name_options(finewright: Finewright, project: Path) -> None:
    rows = [
        {"prompt": f"who {i // 2}", "completion": "ann.smith@corp.example.org"} for i in range(4)
    ]
    (project / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert "--action redact or drop, or data.personal_data.action in a spec" in (
        finewright("data", "personal", "rows.jsonl").out
    )
    assert "`data.duplicates.exact: drop` in a spec, or --exact drop" in (
        finewright("data", "duplicates", "rows.jsonl").out
    )
    (project / "other.jsonl").write_text('{"Frage": "Q", "Antwort": "A"}\n')
    told = finewright("data", "check", "other.jsonl")
    assert "--column prompt=Frage --column completion=Antwort" in told.out


def test_rows_are_mended_and_split_by_type_and_every_problem_is_written(
    finewright: Finewright, project: Path
) -> None:
    rows = [
        {"messages": [{"role": "human", "content": "Q"}, {"role": "gpt", "content": "A"}]},
        {"prompt": "Q", "chosen": "A", "rejected": "B"},
        {"prompt": "", "completion": "A"},
    ]
    (project / "mixed.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    options = ("--fix", "a.jsonl", "--by-type", "--problems", "b.jsonl")
    found = finewright("data", "check", "mixed.jsonl", *options)
    assert found.code == 2
    made = {path.name: path.read_text().count("\n") for path in project.glob("a.*")}
    assert made == {"a.messages.jsonl": 1, "a.preference.jsonl": 1, "a.rejected.jsonl": 1}
    (problem,) = map(json.loads, (project / "b.jsonl").read_text().splitlines())
    assert (problem["row"], problem["key"]) == (3, "prompt")
    assert finewright("data", "check", "mixed.jsonl", "--by-type").code == 2


def test_what_is_prepared_follows_the_options(finewright: Finewright, folder: Path) -> None:
    (folder / "mine.jsonl").write_text(ROW * 2)
    options = ("--exact", "report", "--near", "off", "--action", "redact", *COLUMNS)
    found = finewright(
        "data", "prepare", "lf/mine.jsonl", "--out", "out", "--workers", "1", *options
    )
    assert found.code == 0
    rows = [json.loads(line) for line in Path("out/rows.jsonl").read_text().splitlines()]
    assert [row["messages"][1]["content"] for row in rows] == ["[EMAIL]"] * 2


def test_rows_that_cannot_be_prepared_are_a_failure(finewright: Finewright, folder: Path) -> None:
    found = finewright("data", "prepare", "lf/mine.jsonl", "--out", "out", "--workers", "1")
    assert found.code == 2
    assert "1 row in, 0 kept, 1 invalid" in found.out
    wrong = finewright("data", "prepare", "rows.jsonl", "--out", "new", "--format", "alpacca")
    assert (wrong.code, "did you mean 'alpaca'" in wrong.err) == (2, True)
    assert not Path("new").exists()


@pytest.mark.parametrize(
    ("arguments", "what", "hint"),
    [
        (("personal", "--kind", "emial"), "--kind emial: there is no such value", "did you mean 'email'?"),
        (("duplicates", "--near", "dorp"), "--near dorp: there is no such value", "did you mean 'drop'?"),
        (("check", "--type", "x"), "--type x: there is no such value", "use one of: auto, messages"),
        (("duplicates", "--similarity", "5"), "Invalid value for '--similarity'", "duplicates --help"),
        (("duplicates", "--similarity", "x"), "Invalid value for '--similarity'", "duplicates --help"),
        (("show", "--column", "prompt"), "--column prompt: is not OURS=THEIRS", "e.g. prompt=question"),
        (("personal", "--key-file", "nokey"), "--key-file nokey: there is no such file", "make one"),
        (("personal", "--ner", "pipe"), "--ner pipe: it finds names, and these", "--kind name"),
        (("duplicates", "--out", "/proc/x"), "/proc/x: no file can be made there", "--out"),
        (("prepare", "--out", "/proc/x"), "/proc/x: no folder can be made there", "--out"),
        (("prepare", "--out", "/proc/x/y"), "/proc/x/y: no folder can be made there", "--out"),
    ],
)  # fmt: skip
def test_a_wrong_option_is_one_line_that_names_it_and_the_mend(
    finewright: Finewright, arguments: tuple[str, ...], what: str, hint: str
) -> None:
    command, *options = arguments
    found = finewright("data", command, "rows.jsonl", *options)
    assert (found.code, found.out) == (2, "")
    error, mend = found.err.splitlines()
    assert error.startswith(f"error: {what}")
    assert mend.startswith(" hint: ")
    assert hint in mend


def test_documents_lead_to_rows_by_what_each_command_says_next(
    finewright: Finewright, project: Path
) -> None:
    (project / "docs").mkdir()
    text = (
        "# Fees\n\n## Refund\n\nThe fee is refunded within 14 days.\n\n## Card\n\nIt is blocked.\n"
    )
    (project / "docs" / "a.md").write_text(text)
    done = finewright("data", "documents", "docs", "--out", "docs.jsonl")
    assert "finewright rag index docs.jsonl --out index.sqlite" in done.out
    done = finewright("data", "sections", "docs.jsonl", "--out", "sections.jsonl")
    assert "finewright rag index sections.jsonl --out index.sqlite" in done.out
    refused = finewright("data", "check", "sections.jsonl")
    assert "`finewright rag index` takes them" in refused.out + refused.err
    indexed = finewright("rag", "index", "sections.jsonl", "--out", "index.sqlite", "--no-tune")
    assert indexed.code == 0, indexed.err
    ids = [json.loads(line)["id"] for line in (project / "sections.jsonl").read_text().splitlines()]
    question = {"prompt": "When is it refunded?", "completion": "In 14 days.", "gold": ids[:1]}
    (project / "q.jsonl").write_text(json.dumps(question) + "\n")
    raft = ("data", "raft", "q.jsonl", "index.sqlite", "--out", "raft.jsonl", "--base-model", "")
    assert finewright(*raft).code == 0
    assert finewright("data", "check", "raft.jsonl").code == 0


def test_the_page_of_a_report_is_written_where_html_says(
    finewright: Finewright, project: Path
) -> None:
    assert finewright("data", "report", "rows.jsonl", "--html", "page.html").code == 0
    whole = (project / "page.html").read_text()
    assert not (project / "data.html").exists()
    assert finewright("data", "report", "rows.jsonl", "--out", "other.html").code == 0
    assert abs(len((project / "other.html").read_text()) - len(whole)) < len(whole) / 10
    both = finewright("data", "report", "rows.jsonl", "--html", "a.html", "--out", "b.html")
    assert both.code == 2
    assert "both name the page" in both.err
