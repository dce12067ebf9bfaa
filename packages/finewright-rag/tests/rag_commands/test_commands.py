"""`finewright rag` as a user meets it, on a small folder of real kinds of files."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from cli.conftest import Finewright
from finewright_rag import ask as rag_ask
from finewright_rag.indexing import documents as rag_documents

GUIDE = """\
# Cards

## Fees

The gold card costs 96 euros a year. The first year is free.

## Disputes

A dispute is filed within 60 days of the statement.
"""
HOURS = "Opening hours\n\nThe branch in Lisbon opens at nine and closes at four.\n"
PAGE = "<title>Loans</title><h1>Mortgages</h1><p>A mortgage runs for thirty years.</p>"
RECORDS = [
    {"id": "pay", "title": "Salaries", "text": "The clerk earns 2,400 euros.", "groups": ["hr"]},
    {
        "id": "cafeteria",
        "title": "Cafeteria",
        "text": "Soup is served on Mondays.",
        "license": "MIT",
    },
]
SPEC = "name: bank\nrag:\n  documents: [docs, records.jsonl]\n  embedder: {embedder}\n"


@pytest.fixture(params=["none", "wordllama"])
def embedder(request: pytest.FixtureRequest) -> str:
    if request.param == "wordllama":
        pytest.importorskip("wordllama")
    return str(request.param)


@pytest.fixture
def bank(project: Path) -> Path:
    (project / "docs/deep").mkdir(parents=True)
    (project / "docs/cards.md").write_text(GUIDE)
    (project / "docs/deep/hours.txt").write_text(HOURS)
    (project / "docs/loans.html").write_text(PAGE)
    records(project, RECORDS)
    (project / "rag.yaml").write_text(SPEC.format(embedder="none"))
    return project


def records(project: Path, rows: list[dict[str, object]]) -> None:
    (project / "records.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


def found(finewright: Finewright, query: str, *options: str, target: str = "rag.yaml") -> list[str]:
    done = finewright("rag", "search", target, query, "--json", *options)
    assert done.code == 0, done.err
    return [passage["document"] for passage in done.json["passages"]]


def test_a_folder_is_indexed_searched_changed_and_pruned(
    bank: Path, finewright: Finewright, embedder: str
) -> None:
    (bank / "rag.yaml").write_text(SPEC.format(embedder=embedder))
    first = finewright("rag", "index", "rag.yaml", "--json")
    assert first.code == 0, first.err
    assert [first.json[k] for k in ("documents_in", "added", "documents")] == [5, 5, 5]
    assert found(finewright, "What does the gold card cost?")[0] == "docs/cards.md"
    assert found(finewright, "mortgage")[0] == "docs/loans.html"

    again = finewright("rag", "index", "rag.yaml", "--json")
    assert [again.json[k] for k in ("added", "replaced", "unchanged")] == [0, 0, 5]

    (bank / "docs/deep/hours.txt").write_text("The branch is in Porto and never opens.\n")
    (bank / "docs/loans.html").unlink()
    changed = finewright("rag", "index", "rag.yaml", "--json")
    assert [changed.json[k] for k in ("replaced", "unchanged", "deleted", "documents")] == [
        1,
        3,
        0,
        5,
    ]
    assert found(finewright, "Porto")[0] == "docs/deep/hours.txt"
    assert b"Lisbon" not in (bank / "index.sqlite").read_bytes()

    pruned = finewright("rag", "index", "rag.yaml", "--prune", "--json")
    assert [pruned.json[k] for k in ("deleted", "documents")] == [1, 4]
    assert b"mortgage runs" not in (bank / "index.sqlite").read_bytes()


def test_a_passage_is_shown_with_its_headings_place_and_licence(
    bank: Path, finewright: Finewright
) -> None:
    finewright("rag", "index", "rag.yaml")
    shown = finewright("rag", "search", "rag.yaml", "gold card", "--limit", "1").out
    assert shown.startswith("[1] Cards > Fees  (")
    start = GUIDE.index("## Fees")
    end = GUIDE.index("\n\n## Disputes")
    assert f"    docs/cards.md, characters {start}-{end}\n" in shown
    assert "    The gold card costs 96 euros a year." in shown
    assert "cafeteria, characters 0-26, MIT" in finewright("rag", "search", "rag.yaml", "soup").out


def test_a_search_sees_what_its_groups_may_see(bank: Path, finewright: Finewright) -> None:
    finewright("rag", "index", "rag.yaml")
    assert found(finewright, "salaries clerks") == []
    assert found(finewright, "salaries clerks", "--group", "it") == []
    assert found(finewright, "salaries clerks", "--group", "it", "--group", "hr") == ["pay"]
    assert found(finewright, "salaries clerks", "--all") == ["pay"]
    told = finewright("rag", "search", "rag.yaml", "salaries clerks")
    assert (told.code, told.out) == (0, "nothing found, of what the public may see\n")
    both = finewright("rag", "search", "rag.yaml", "salaries", "--all", "--group", "hr")
    assert both.code == 2
    assert "--all and --group do not go together" in both.err


def test_groups_that_change_count_from_the_next_update_on(
    bank: Path, finewright: Finewright
) -> None:
    finewright("rag", "index", "rag.yaml")
    records(bank, [RECORDS[0], {**RECORDS[1], "groups": ["kitchen"]}])
    assert found(finewright, "soup") == ["cafeteria"]
    finewright("rag", "index", "rag.yaml")
    assert found(finewright, "soup") == []
    assert found(finewright, "soup", "--group", "kitchen") == ["cafeteria"]


def test_documents_need_no_spec_and_an_index_no_documents(
    bank: Path, finewright: Finewright
) -> None:
    made = finewright(
        "rag", "index", "docs", "records.jsonl", "--out", "b.sqlite", "--embedder", "none"
    )
    assert made.code == 0, made.err
    assert "documents: 5 added\n" in made.out
    assert "b.sqlite: 5 documents, " in made.out
    (bank / "records.jsonl").unlink()
    assert found(finewright, "soup", target="b.sqlite") == ["cafeteria"]


def test_paths_of_the_command_line_lead_from_here_and_those_of_a_spec_from_it(
    bank: Path, finewright: Finewright
) -> None:
    (bank / "specs").mkdir()
    (bank / "specs/rag.yaml").write_text("name: a\nrag: {documents: [../docs], embedder: none}\n")
    assert finewright("rag", "index", "specs/rag.yaml").code == 0
    assert (bank / "specs/index.sqlite").is_file()
    assert finewright("rag", "index", "specs/rag.yaml", "--out", "here.sqlite").code == 0
    assert (bank / "here.sqlite").is_file()
    assert found(finewright, "mortgage", target="here.sqlite") == ["../docs/loans.html"]


def test_a_document_is_deleted_by_its_id(bank: Path, finewright: Finewright) -> None:
    finewright("rag", "index", "rag.yaml")
    wrong = finewright("rag", "index", "rag.yaml", "--delete", "docs/card.md")
    assert wrong.code == 2
    assert "there is no document 'docs/card.md'" in wrong.err
    assert "did you mean 'docs/cards.md'?" in wrong.err
    done = finewright(
        "rag", "index", "index.sqlite", "--delete", "docs/cards.md", "--delete", "pay"
    )
    assert done.code == 0, done.err
    assert "documents: 2 deleted\n" in done.out
    assert found(finewright, "gold card") == []
    assert b"gold card" not in (bank / "index.sqlite").read_bytes()


@pytest.mark.parametrize(
    ("name", "content", "what"),
    [
        ("scan.pdf", b"%PDF-1.4 no pages", "docs/scan.pdf: "),
        ("latin.txt", b"Caf\xe9", "docs/latin.txt: not UTF-8: byte 0xe9 at offset 3 of the file"),
        ("empty.md", b"\n", "docs/empty.md: there is no text in it"),
        ("huge.md", b"word " * 1000, "docs/huge.md: 0 MB long; a document has at most"),
    ],
)
def test_a_document_that_cannot_be_read_is_told_and_the_others_are_indexed(
    bank: Path,
    finewright: Finewright,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    content: bytes,
    what: str,
) -> None:
    monkeypatch.setattr(rag_documents, "LONGEST", 1000)
    finewright("rag", "index", "rag.yaml")
    before = found(finewright, "gold card")
    (bank / "docs" / name).write_bytes(content)
    (bank / "docs/loans.html").unlink()
    done = finewright("rag", "index", "rag.yaml", "--prune")
    assert done.code == 2
    assert f"error: {what}" in done.out
    assert "documents: 4 unchanged, left out: 1 " in done.out
    assert "1 documents that are not there were not deleted" in done.out
    assert found(finewright, "gold card") == before


@pytest.mark.parametrize("has_index", [False, True])
@pytest.mark.parametrize(
    ("change", "what"),
    [
        ("scanned", "docs/scan.pdf: there is no text in it: it is scanned pages"),
        ("empty", "docs: there is no document in this folder"),
        ("missing", "docs: there is no such file or folder (check the path)"),
        ("twice", "records.jsonl:2: id 'pay' is already that of records.jsonl:1"),
        ("embedder", "no embedder named 'wordlama'; did you mean 'wordllama'?"),
    ],
)
def test_nothing_is_written_and_an_index_stays_as_it_is(
    bank: Path, finewright: Finewright, has_index: bool, change: str, what: str
) -> None:
    if has_index:
        assert finewright("rag", "index", "rag.yaml").code == 0
    before = (bank / "index.sqlite").read_bytes() if has_index else None
    options = spoil(bank, change)
    done = finewright("rag", "index", "rag.yaml", *options)
    assert done.code == 2
    assert what in done.err
    assert len(done.err.splitlines()) <= 4
    after = (bank / "index.sqlite").read_bytes() if has_index else None
    assert after == before
    assert [p.name for p in bank.glob("index*")] == (["index.sqlite"] if has_index else [])


def spoil(bank: Path, change: str) -> list[str]:
    if change == "embedder":
        return ["--embedder", "wordlama"]
    if change == "twice":
        records(bank, [RECORDS[0], RECORDS[0]])
        return []
    for path in sorted((bank / "docs").rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    (bank / "rag.yaml").write_text("name: bank\nrag: {documents: [docs], embedder: none}\n")
    if change == "scanned":
        pytest.importorskip("markitdown")
        (bank / "docs/scan.pdf").write_bytes(SCAN)
    if change == "missing":
        (bank / "docs").rmdir()
    return []


def test_another_embedder_or_length_of_chunks_needs_another_index(
    bank: Path, finewright: Finewright
) -> None:
    pytest.importorskip("wordllama")
    finewright("rag", "index", "rag.yaml")
    for command in (("index", "rag.yaml"), ("search", "rag.yaml", "card")):
        done = finewright("rag", *command, "--embedder", "wordllama")
        assert done.code == 2
        assert "index.sqlite: made with the embedder 'none', asked for with 'wordllama@" in done.err
    (bank / "rag.yaml").write_text(SPEC.format(embedder="none") + "  chunk_chars: 500\n")
    done = finewright("rag", "index", "rag.yaml")
    assert done.code == 2
    assert "made of chunks of 1200 characters at most, and 500 are asked for" in done.err


def test_a_newer_or_another_file_is_no_index(bank: Path, finewright: Finewright) -> None:
    none = finewright("rag", "search", "rag.yaml", "card")
    assert (none.code, "index.sqlite: no index: no such file" in none.err) == (2, True)
    (bank / "index.sqlite").write_text("not an index")
    for command in (("index", "rag.yaml"), ("search", "rag.yaml", "card")):
        done = finewright("rag", *command)
        assert done.code == 2
        assert "index.sqlite: not an index" in done.err
    (bank / "index.sqlite").unlink()
    finewright("rag", "index", "rag.yaml")
    with closing(sqlite3.connect(bank / "index.sqlite")) as connection, connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    newer = finewright("rag", "search", "rag.yaml", "card")
    assert newer.code == 2
    assert "made by a newer finewright (format 99, " in newer.err


def test_a_query_without_a_word_is_refused(bank: Path, finewright: Finewright) -> None:
    finewright("rag", "index", "rag.yaml")
    done = finewright("rag", "search", "rag.yaml", "  ")
    assert (done.code, "there is nothing to search for" in done.err) == (2, True)


QUESTIONS = [
    {
        "prompt": "What does the gold card cost?",
        "gold": ["docs/cards.md"],
        "completion": "96 euros",
    },
    {"prompt": "When does the branch open?", "gold": ["docs/deep/hours.txt"], "completion": "nine"},
    {"prompt": "mortgage years", "gold": ["docs/loans.html"]},
    {"prompt": "soup", "gold": ["cafeteria"]},
]


def asked(bank: Path, rows: list[dict[str, object]]) -> str:
    (bank / "q.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return "q.jsonl"


def test_a_search_is_measured_on_questions_with_known_documents(
    bank: Path, finewright: Finewright
) -> None:
    finewright("rag", "index", "rag.yaml")
    done = finewright(
        "rag", "evaluate", "rag.yaml", "--questions", asked(bank, QUESTIONS), "--json"
    )
    assert done.code == 0, done.err
    search = done.json["search"]
    assert (search["n"], done.json["answers"]) == (4, None)
    scores = {(s["system"], s["metric"]): s["value"] for s in search["scores"]}
    assert scores["tuned", "recall@1"] == 1
    shown = finewright("rag", "evaluate", "index.sqlite", "--questions", "q.jsonl")
    assert shown.code == 0
    told = "verdict by recall@1: none, 4 questions are too few to tell anything; 30 are needed"
    assert told in shown.out


@pytest.mark.parametrize(
    ("row", "what"),
    [
        ({"prompt": "Who?"}, "q.jsonl:1: `gold` must be a list"),
        ({"prompt": "Who?", "gold": ["docs/card.md"]}, "q.jsonl:1: `gold` names 'docs/card.md'"),
        ({"gold": ["cafeteria"]}, "q.jsonl:1: `prompt` must be"),
    ],
)
def test_questions_that_cannot_be_asked_are_told_by_their_line(
    bank: Path, finewright: Finewright, row: dict[str, object], what: str
) -> None:
    finewright("rag", "index", "rag.yaml")
    done = finewright("rag", "evaluate", "rag.yaml", "--questions", asked(bank, [row]))
    assert done.code == 2
    assert what in done.err


def test_too_few_documents_to_make_questions_of_are_told(
    bank: Path, finewright: Finewright
) -> None:
    indexed = finewright("rag", "index", "rag.yaml")
    assert "not tuned: 30 questions are needed, and the documents give " in indexed.out
    assert "60 of your own (`rag.questions`)" in indexed.out
    assert "--tune" not in indexed.out  # it could not help
    done = finewright("rag", "evaluate", "rag.yaml")
    assert done.code == 2
    assert "60 questions are needed, half of them on other documents than the rest" in done.err
    alone = finewright("rag", "evaluate", "index.sqlite")
    assert "there are no questions to ask" in alone.err


def test_weights_are_tuned_after_a_change_and_kept_without_one(
    bank: Path, finewright: Finewright
) -> None:
    pytest.importorskip("wordllama")
    (bank / "rag.yaml").write_text(SPEC.format(embedder="wordllama"))
    write_objects(bank)
    first = finewright("rag", "index", "rag.yaml", "--json")
    assert first.json["tuning"]["tried"]
    assert first.json["weights"] == first.json["tuning"]["weights"]
    assert finewright("rag", "index", "rag.yaml", "--json").json["tuning"] is None
    assert finewright("rag", "index", "rag.yaml", "--tune", "--json").json["tuning"]["tried"]
    (bank / "docs/1.md").write_text("Changed.\n")
    kept = finewright("rag", "index", "rag.yaml", "--no-tune", "--json")
    assert (kept.json["replaced"], kept.json["tuning"]) == (1, None)
    assert "weights: words " in finewright("rag", "index", "rag.yaml").out


def write_objects(bank: Path) -> None:
    """Documents enough to tune on."""
    for number in range(60):
        what = (
            f"The {NOUNS[number % 20]} of number {number} is kept in the {NOUNS[number // 3]} room."
        )
        rest = f"It was bought in {1900 + number} and shall never leave the house again."
        (bank / f"docs/{number}.md").write_text(f"# Object {number}\n\n{what}\n\n{rest}\n" * 2)


def test_a_search_says_that_no_document_has_this_or_that_it_does_not_know(
    bank: Path, finewright: Finewright
) -> None:
    query = ("rag", "search", "rag.yaml", "in qwertzu yxcvbnm asdfghjk uiopoiu lkjhgf")
    finewright("rag", "index", "rag.yaml")
    shown = finewright(*query).out
    assert "not known: the index is not calibrated" in shown
    assert "30 questions" in shown
    assert finewright(*query, "--json").json["has_answer"] is None
    write_objects(bank)
    indexed = finewright("rag", "index", "rag.yaml")
    assert "no document has this: said to " in indexed.out
    done = finewright(*query)
    assert done.code == 0
    assert done.out.startswith("no document that the public may see is likely to have this; what")
    assert finewright(*query, "--json").json["has_answer"] is False
    known = "In which room is the lamp of number 20 kept?"
    assert finewright("rag", "search", "rag.yaml", known, "--json").json["has_answer"] is True


def test_questions_of_the_spec_that_are_wrong_are_told_and_the_documents_are_indexed(
    bank: Path, finewright: Finewright
) -> None:
    write_objects(bank)
    spec = SPEC.format(embedder="none") + "  questions: asked.jsonl\n"
    (bank / "rag.yaml").write_text(spec)
    (bank / "asked.jsonl").write_text('{"prompt": "Which lamp?", "gold": ["nowhere.md"]}\n')
    done = finewright("rag", "index", "rag.yaml", "--json")
    assert done.code == 2
    assert done.json["documents"] > 60
    (problem,) = [p for p in done.json["problems"] if p["level"] == "error"]
    assert "'nowhere.md'" in problem["message"]
    assert "--tune" in problem["hint"]


NOUNS = [
    "lamp",
    "chair",
    "table",
    "clock",
    "mirror",
    "vase",
    "carpet",
    "drawer",
    "pillow",
    "candle",
    "kettle",
    "basket",
    "ladder",
    "hammer",
    "saddle",
    "trumpet",
    "violin",
    "anchor",
    "compass",
    "lantern",
]


class Talker:
    """Stands for a loaded model."""

    system_prompt = "Be brief."


@pytest.fixture
def says(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """What the model answers, and what it was asked."""
    said = {"answer": "", "asked": ""}

    def answer(
        _: object, messages: list[dict[str, str]], max_new_tokens: int
    ) -> rag_ask.ModelAnswer:
        said["asked"] = "\n".join(m["content"] for m in messages)
        return rag_ask.ModelAnswer(
            said["answer"], is_cut=max_new_tokens < len(said["answer"].split())
        )

    monkeypatch.setattr(rag_ask, "load_talker", lambda *_, **__: Talker())
    monkeypatch.setattr(rag_ask, "answer", answer)
    return said


ASK = (
    "rag",
    "ask",
    "rag.yaml",
    "What does the gold card cost?",
    "--model",
    "smollm2-135m-instruct",
)


def test_an_answer_is_shown_with_what_of_it_holds(
    bank: Path, finewright: Finewright, says: dict[str, str]
) -> None:
    finewright("rag", "index", "rag.yaml")
    says["answer"] = (
        '[1] "The gold card costs 96 euros a year."\n[2] "The first year is free."\n'
        '"It is free for ever and ever"\nIt costs 96 euros, or 8 a month [7].'
    )
    done = finewright(*ASK)
    assert done.code == 0, done.err
    assert "Be brief.\n" in says["asked"]
    assert "What does the gold card cost?" in says["asked"]
    assert 'verified in [1]: "The gold card costs 96 euros a year."' in done.out
    assert 'NOT FOUND in [2], but in [1]: "The first year is free."' in done.out
    assert 'NOT FOUND: "It is free for ever and ever"' in done.out
    assert "NOT FOUND: there is no passage [7]" in done.out
    assert "NOT FOUND in any passage: the numbers 8" in done.out
    assert "\n[1] Cards > Fees  (" in done.out
    report = finewright(*ASK, "--json").json
    assert [quote["verified"] for quote in report["quotes"]] == [True, False, False]
    assert report["unknown_citations"] == [7]
    assert report["numbers_absent"] == ["8"]
    assert report["cut_after"] is None
    assert "was cut" not in done.out


def test_an_answer_that_was_cut_is_told_as_cut(
    bank: Path, finewright: Finewright, says: dict[str, str]
) -> None:
    finewright("rag", "index", "rag.yaml")
    says["answer"] = "It costs"
    done = finewright(*ASK, "--max-new-tokens", "1")
    assert "the answer was cut after 1 token (--max-new-tokens)" in done.out
    assert finewright(*ASK, "--max-new-tokens", "1", "--json").json["cut_after"] == 1


def test_an_abstention_is_said_and_where_nothing_is_found_no_model_is_asked(
    bank: Path, finewright: Finewright, says: dict[str, str]
) -> None:
    finewright("rag", "index", "rag.yaml")
    says["answer"] = "The passages do not hold the answer."
    done = finewright(*ASK)
    assert "the model says that the passages do not hold the answer" in done.out
    assert "whether a document has this is not known: the index is not calibrated" in done.out
    says["asked"] = ""
    done = finewright("rag", "ask", "rag.yaml", "salaries clerks", *ASK[4:])
    assert done.code == 0
    assert says["asked"] == ""
    assert "nothing found, of what the public may see: the model was not asked" in done.out


def test_where_no_document_is_likely_to_have_this_the_model_is_only_asked_on_demand(
    bank: Path, finewright: Finewright, says: dict[str, str]
) -> None:
    write_objects(bank)
    finewright("rag", "index", "rag.yaml")
    says["answer"] = "I made this up."
    ask = ("rag", "ask", "rag.yaml", "in qwertzu yxcvbnm asdfghjk uiopoiu lkjhgf", *ASK[4:])
    done = finewright(*ask)
    assert done.code == 0
    assert says["asked"] == ""
    assert "made this up" not in done.out
    assert "likely to have this: the model was not asked (--anyway asks it)" in done.out
    report = finewright(*ask, "--json").json
    assert (report["has_answer"], report["was_asked"], report["abstained"]) == (False, False, True)
    anyway = finewright(*ask, "--anyway", "--json").json
    assert (anyway["has_answer"], anyway["was_asked"]) == (False, True)
    assert "qwertzu" in says["asked"]


def test_a_model_that_is_not_there_is_told_before_anything_is_done(
    bank: Path, finewright: Finewright
) -> None:
    finewright("rag", "index", "rag.yaml")
    done = finewright("rag", "ask", "rag.yaml", "card", "--model", "smollm2-135m-instrukt")
    assert done.code == 2
    assert "smollm2-135m-instruct" in done.err


SCAN = (
    b"%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n"
    b"2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj\n"
    b"3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 9 9]>>endobj\n"
    b"trailer<</Root 1 0 R>>\n%%EOF\n"
)
