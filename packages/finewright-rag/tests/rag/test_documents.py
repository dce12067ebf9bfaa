"""What a spec's documents become: whole or refused with the reason, told apart by ids that stay."""

import json
import os
from pathlib import Path

import pytest

from finewright.errors import DataError
from finewright.schema.passages import Document
from finewright.schema.rag import DocumentsAt
from finewright_rag.indexing import documents as rag_documents
from finewright_rag.indexing.documents import Documents, find_documents


@pytest.fixture
def here(tmp_path: Path) -> Path:
    return tmp_path


def found(here: Path, *named: str) -> Documents:
    return find_documents(named, lambda path: here / path)


def read(here: Path, *named: str) -> dict[str, Document]:
    return {document.id: document for document in found(here, *named).read()}


def wrong(here: Path, *named: str) -> list[str]:
    documents = found(here, *named)
    assert list(documents.read()) == []
    return [problem.line().removeprefix(f"{here}/") for problem in documents.listing.problems()]


def lines(path: Path, *rows: object) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def test_a_files_id_is_its_path_as_the_spec_names_it(here: Path) -> None:
    (here / "docs/deep").mkdir(parents=True)
    (here / "docs/a.md").write_text("# Alpha\n\nFirst.\n")
    (here / "docs/deep/b.txt").write_text("Second.\n")
    (here / "c.html").write_text("<title>Gamma</title><h1>G</h1><p>Third.</p>")
    documents = read(here, "./docs", "c.html", "docs/a.md")
    assert list(documents) == ["docs/a.md", "docs/deep/b.txt", "c.html"]
    assert [d.title for d in documents.values()] == ["Alpha", "b", "Gamma"]
    assert "Third." in documents["c.html"].text
    assert all(d.groups == () for d in documents.values())


def test_a_line_of_jsonl_says_who_may_see_it_and_where_it_is_from(here: Path) -> None:
    rows = [
        {"id": "p", "text": "Open.", "source": "pkg@1", "source_file": "x.md", "license": "MIT"},
        {"id": "h", "title": "Pay", "text": "Closed.", "groups": ["hr", "board", "hr"]},
        {"id": "d", "text": "Made by data documents.", "path": "deep/b.txt", "media_type": "t"},
    ]
    lines(here / "docs.jsonl", *rows)
    documents = read(here, "docs.jsonl")
    assert documents["p"].source == "pkg@1/x.md"
    assert documents["p"].license == "MIT"
    assert documents["h"].groups == ("board", "hr")
    assert documents["h"].title == "Pay"
    assert documents["d"].source == "deep/b.txt"


def test_a_path_can_say_what_holds_of_its_documents(here: Path) -> None:
    (here / "hr").mkdir()
    (here / "hr/pay.md").write_text("Secret.\n")
    lines(here / "a.jsonl", {"id": "a", "text": "A"}, {"id": "b", "text": "B", "groups": []})
    said = {"groups": ("hr", "board"), "license": "internal", "source": "intranet"}
    named = [DocumentsAt(path=path, **said) for path in ("hr", "a.jsonl")]
    documents = {d.id: d for d in find_documents(named, lambda path: here / path).read()}
    assert {id: d.groups for id, d in documents.items()} == {
        "hr/pay.md": ("board", "hr"),
        "a": ("board", "hr"),
        "b": (),
    }
    assert {(d.license, d.source) for d in documents.values()} == {("internal", "intranet")}


@pytest.mark.parametrize(
    "change",
    [{"text": "B"}, {"title": "B"}, {"source": "B"}, {"license": "B"}, {"groups": ["B"]}],
    ids=str,
)
def test_whatever_an_answer_may_quote_or_who_may_see_it_is_in_the_digest(
    here: Path, change: dict[str, object]
) -> None:
    row = {"id": "a", "text": "A", "title": "A", "source": "A", "license": "A", "groups": ["A"]}
    lines(here / "a.jsonl", row, {**row, "id": "same"}, {**row, "id": "other", **change})
    documents = read(here, "a.jsonl")
    assert documents["a"].sha256 == documents["same"].sha256 != documents["other"].sha256


@pytest.mark.parametrize(
    ("row", "what"),
    [
        ({"text": "A"}, "id: is missing"),
        ({"id": 5, "text": "A"}, "id: must be text of 1 to 500 characters"),
        ({"id": "", "text": "A"}, "id: must be text of 1 to 500 characters"),
        ({"id": "a"}, "text: is missing"),
        ({"id": "a", "text": " \n"}, "there is no text in it"),
        ({"id": "a", "text": "# Only\n## Names\n"}, "it has headings and nothing under them"),
        ({"id": "a", "text": "A", "groups": "hr"}, "groups: must be a list of names"),
        ({"id": "a", "text": "A", "groups": None}, "groups: must be a list of names"),
        ({"id": "a", "text": "A", "groups": [1]}, "groups: must be a list of names"),
        ({"id": "a", "text": "A", "title": 3}, "title: must be text"),
    ],
)
def test_a_line_that_is_not_clear_is_not_read(
    here: Path, row: dict[str, object], what: str
) -> None:
    lines(here / "docs.jsonl", row)
    (line,) = wrong(here, "docs.jsonl")
    assert line.startswith(f"docs.jsonl:1: {what}")


def test_two_documents_of_one_id_are_told_with_both_places(here: Path) -> None:
    lines(here / "a.jsonl", {"id": "x", "text": "A"}, {"id": "y", "text": "B"})
    lines(here / "b.jsonl", {"id": "y", "text": "C"})
    with pytest.raises(DataError, match=r"b\.jsonl:1: id 'y' is already that of .*a\.jsonl:2"):
        read(here, "a.jsonl", "b.jsonl")


def test_a_broken_encoding_and_broken_json_are_told_by_their_place(here: Path) -> None:
    (here / "a.md").write_bytes(b"Caf\xe9\n")
    assert "not UTF-8: byte 0xe9 at offset 3" in wrong(here, "a.md")[0]
    (here / "b.jsonl").write_bytes(b'{"id": "a", "text": "Caf\xe9"}\n')
    assert "b.jsonl:1: not UTF-8" in wrong(here, "b.jsonl")[0]
    (here / "c.jsonl").write_text('{"id": "a", "text": \n')
    assert wrong(here, "c.jsonl")[0].startswith("c.jsonl:1: ")


def test_what_is_read_beside_what_is_not_is_read(here: Path) -> None:
    (here / "docs").mkdir()
    (here / "docs/a.md").write_text("Good.\n")
    (here / "docs/b.pdf").write_bytes(b"no PDF")
    documents = found(here, "docs")
    assert [d.id for d in documents.read()] == ["docs/a.md"]
    assert documents.dropped == {"unreadable": 1}
    assert documents.done == documents.total == 2


def test_a_document_that_is_too_long_is_refused_before_it_is_read(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rag_documents, "LONGEST", 1000)
    (here / "a.txt").write_bytes(b"\xff" * 4001)  # it would not decode
    (here / "b.txt").write_text("word " * 201)
    lines(here / "c.jsonl", {"id": "a", "text": "word " * 201})
    for name in ("a.txt", "b.txt", "c.jsonl"):
        (line,) = wrong(here, name)
        assert "long; a document has at most 0.001 million characters (split it" in line


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("none", "there is no such file or folder (check the path)"),
        ("none.jsonl", "there is no such file or folder (check the path)"),
        (
            "natspec-docs/documents.jsonl",
            "there is no such file or folder (finewright data get natspec-docs --out {here}/natspec-docs)",
        ),
        ("empty", "there is no document in this folder (.pdf, "),
        ("a.png", "this is no document that is read (.pdf, "),
    ],
)
def test_a_path_to_nothing_is_refused_at_once(here: Path, name: str, what: str) -> None:
    (here / "empty").mkdir()
    (here / "a.png").write_bytes(b"\x89PNG")
    with pytest.raises(DataError) as caught:
        found(here, name, "also-none")
    first, second = str(caught.value).splitlines()
    assert first.startswith(f"{here / name}: {what.format(here=here)}")
    assert second.startswith(f"{here / 'also-none'}: there is no such file")


def test_jsonl_in_a_folder_is_read_where_it_is_named(here: Path) -> None:
    (here / "set").mkdir()
    lines(here / "set/documents.jsonl", {"id": "a", "text": "A"})
    with pytest.raises(DataError) as caught:
        found(here, "set")
    assert (
        str(caught.value)
        .splitlines()[1]
        .endswith(f"JSONL in a folder is read where it is named ({here}/set/documents.jsonl)")
    )
    (here / "set/a.md").write_text("A\n")
    assert list(read(here, "set", "set/documents.jsonl")) == ["set/a.md", "a"]


def test_progress_counts_documents_and_lines(here: Path) -> None:
    lines(here / "a.jsonl", *({"id": str(i), "text": "A"} for i in range(3)))
    (here / "b.md").write_text("B\n")
    documents = found(here, "a.jsonl", "b.md")
    steps = [documents.done for _ in documents.read()]
    assert steps == [1, 2, 3, 4]
    assert documents.total == 4


def test_a_file_that_two_sources_name_for_other_groups_is_refused(here: Path) -> None:
    (here / "all/board").mkdir(parents=True)
    (here / "all/board/s.md").write_text("The codename.\n")
    board = DocumentsAt(path="all/board", groups=("board",))
    for named in (["all", board], [board, "all"]):
        with pytest.raises(DataError, match=r"s\.md: named twice, by 'all") as refused:
            find_documents(named, lambda path: here / path)
        assert "everyone" in str(refused.value)
    both = [DocumentsAt(path="all", groups=("board",)), board]
    assert len(find_documents(both, lambda path: here / path).places) == 1


def test_a_file_whose_name_is_no_text_is_told_and_the_others_read(here: Path) -> None:
    (here / "docs").mkdir()
    (here / "docs/a.md").write_text("Text.\n")
    (here / os.fsdecode(b"docs/bad\xff.md")).write_text("Text.\n")
    documents = found(here, "docs")
    assert [document.id for document in documents.read()] == ["docs/a.md"]
    (problem,) = documents.listing.problems()
    assert "its name is not UTF-8" in problem.line()
