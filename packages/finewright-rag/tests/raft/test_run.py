"""`data raft` from files to a file: what it reports adds up, and bad input is one line and no file."""

import json
from pathlib import Path

import pytest

from finewright.errors import DataError
from finewright.judge.quotes import ABSTENTION
from finewright.report.show import text_of
from finewright.schema.passages import Document
from finewright.schema.raft import RaftReport, RaftSpec
from finewright_rag.indexing.build import build_index
from finewright_rag.raft.run import raft
from finewright_rag.stores import sqlite
from finewright_rag.stores.index import FORMAT, About

SAMPLE = Path(__file__).parent / "natspec_sample"
# No model is loaded, so no tokens are counted.
SPEC = RaftSpec(base_model="")


def build(path: Path, documents: list[Document]) -> str:
    index = sqlite.create(path, About(FORMAT, "", 0, 1200, {"lexical": 1.0}))
    build_index(index, None, documents, 1200)
    index.close()
    return str(path)


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> str:
    lines = (SAMPLE / "documents.jsonl").read_text(encoding="utf-8").splitlines()
    documents = [
        Document(d["id"], d["text"], d["title"], d["source"], d["license"])
        for d in map(json.loads, lines)
    ]
    return build(tmp_path_factory.mktemp("raft") / "index.sqlite", documents)


def asked(path: Path, *rows: object) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


GOOD = {
    "prompt": "In Pausable, what does the modifier `whenNotPaused` do?",
    "completion": "Modifier to make a function callable only when the contract is not paused.",
    "gold": ["@openzeppelin/contracts/utils/Pausable.sol#Pausable"],
}


def test_the_sample_becomes_rows_that_a_report_accounts_for(target: str, tmp_path: Path) -> None:
    out = tmp_path / "rows.jsonl"

    report = raft(SAMPLE / "questions.jsonl", target, out, spec=SPEC)

    rows = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
    assert report.passed
    assert report.rows_in == 141
    assert report.rows_written == len(rows) == sum(report.kinds.values())
    assert report.licenses == {"MIT": len(rows)}
    assert all(row["source"] == "@openzeppelin/contracts@5.7.0" for row in rows)
    assert {m["role"] for row in rows for m in row["messages"]} == {"user", "assistant"}
    text = text_of(report)
    assert f"141 questions: {len(rows)} rows written to {out}" in text
    assert "distractors alone, and the answer says so" in text
    assert RaftReport.model_validate_json(report.model_dump_json()) == report


def test_the_same_call_writes_the_same_bytes(target: str, tmp_path: Path) -> None:
    files = [tmp_path / "one.jsonl", tmp_path / "two.jsonl"]
    questions = asked(
        tmp_path / "q.jsonl", *[GOOD | {"prompt": f"{GOOD['prompt']} {i}"} for i in range(9)]
    )
    for file in files:
        raft(questions, target, file, spec=SPEC)
    assert files[0].read_bytes() == files[1].read_bytes() != b""


@pytest.mark.parametrize(
    ("row", "reason", "message"),
    [
        ({**GOOD, "completion": ""}, "no_answer", "completion: no answer to the question"),
        ({**GOOD, "prompt": None}, "no_question", "prompt: no text"),
        ({**GOOD, "gold": []}, "no_gold", "gold: no list of the documents that have the answer"),
        ({**GOOD, "gold": "x"}, "no_gold", "gold: no list of the documents that have the answer"),
        ({**GOOD, "gold": ["x"]}, "unknown_gold", "gold: no document 'x' is in the index"),
        ([1], "unreadable", "an array, and a row is a JSON object"),
    ],
)
def test_a_faulty_question_is_counted_and_said_and_the_others_become_rows(
    target: str, tmp_path: Path, row: object, reason: str, message: str
) -> None:
    questions = asked(tmp_path / "q.jsonl", GOOD, row)

    report = raft(questions, target, tmp_path / "rows.jsonl", spec=SPEC)

    assert (report.rows_in, report.rows_written) == (2, 1)
    assert report.rows_dropped == {reason: 1}
    assert not report.passed
    assert len(report.problems) == 1
    assert f"{questions}:2: {message}" in report.problems[0].line()


def test_a_question_of_no_document_is_a_row_that_abstains(target: str, tmp_path: Path) -> None:
    nothing = {**GOOD, "completion": ABSTENTION, "gold": []}
    questions = asked(tmp_path / "q.jsonl", GOOD, nothing)

    report = raft(questions, target, tmp_path / "rows.jsonl", spec=SPEC)

    assert report.passed
    assert report.kinds == {"with_gold": 1, "unanswerable": 1}


def test_an_answer_in_other_words_is_left_out_with_a_warning(target: str, tmp_path: Path) -> None:
    other = GOOD | {"completion": "Bananas ripen slowly."}
    questions, out = asked(tmp_path / "q.jsonl", other), tmp_path / "rows.jsonl"

    report = raft(questions, target, out, spec=SPEC)

    assert (report.rows_dropped, report.out) == ({"answer_not_in_gold": 1}, "")
    assert not report.passed
    assert not out.exists()
    assert "nothing was written" in text_of(report)
    assert report.problems[0].level == "warning"


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([], "the file is empty"),
        ([{"prompt": "What?", "gold": ["a"]}] * 9, "no answer to the question"),
        ([{"prompt": "What?", "completion": "That."}], "no list of the documents"),
        ([GOOD | {"gold": ["a"]}], "no question has all of its gold in .*, which has 10 documents"),
    ],
)
def test_where_no_question_can_become_a_row_it_is_one_line_and_no_file(
    target: str, tmp_path: Path, rows: list[object], message: str
) -> None:
    questions, out = asked(tmp_path / "q.jsonl", *rows), tmp_path / "rows.jsonl"

    with pytest.raises(DataError, match=message) as error:
        raft(questions, target, out, spec=SPEC)

    assert "\n" not in str(error.value)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["q.jsonl"]


def test_an_index_that_is_not_there_is_said_and_nothing_is_written(tmp_path: Path) -> None:
    questions, out = asked(tmp_path / "q.jsonl", GOOD), tmp_path / "rows.jsonl"
    with pytest.raises(DataError, match=r"nowhere\.sqlite"):
        raft(questions, str(tmp_path / "nowhere.sqlite"), out, spec=SPEC)
    assert not out.exists()


def test_what_is_there_is_never_written_over(target: str, tmp_path: Path) -> None:
    questions = asked(tmp_path / "q.jsonl", GOOD)
    with pytest.raises(DataError, match="which is read and never written to"):
        raft(questions, target, questions, spec=SPEC)


def test_a_call_that_is_stopped_leaves_no_file(target: str, tmp_path: Path) -> None:
    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    questions, out = asked(tmp_path / "q.jsonl", GOOD), tmp_path / "rows.jsonl"
    with pytest.raises(KeyboardInterrupt):
        raft(questions, target, out, spec=SPEC, on_progress=stop)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["q.jsonl"]


def test_counts_that_lose_a_row_are_refused() -> None:
    with pytest.raises(ValueError, match="do not add up"):
        RaftReport(
            spec=SPEC,
            rows_in=2,
            rows_written=1,
            kinds={"with_gold": 1},
            licenses={"MIT": 1},
            out="x",
        )
    with pytest.raises(ValueError, match="do not add up"):
        RaftReport(spec=SPEC, rows_in=1, rows_written=1, kinds={}, licenses={"MIT": 1}, out="x")
