"""The rag section is read from a file of its own or of a run; every mistake has file, line and key."""

from pathlib import Path

import pytest

from finewright.errors import FinewrightError
from finewright.schema.load_section import load_section
from finewright.schema.rag import RagSpec

RUN = "name: bot\nbase_models: [smollm2-135m-instruct]\ndata: {sources: [{path: rows.jsonl}]}\n"
ADDRESS = (
    "a password or key stands in the address; set the environment variable instead, PGPASSWORD, "
    "QDRANT_API_KEY or FINEWRIGHT_API_KEY"
)
RAG = "rag:\n  documents: [docs]\n"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "rag.yaml"


def mistakes(file: Path, text: str, *overrides: str) -> list[str]:
    file.write_text(text)
    with pytest.raises(FinewrightError) as caught:
        load_section("rag", RagSpec, file, overrides)
    return [line.removeprefix(f"{file}") for line in str(caught.value).splitlines()]


@pytest.mark.parametrize("text", [f"name: bot\n{RAG}", RUN + RAG], ids=["alone", "of a run"])
def test_name_and_documents_are_enough(file: Path, text: str) -> None:
    file.write_text(text)
    loaded = load_section("rag", RagSpec, file, ["rag.results=7"])
    assert (loaded.name, loaded.spec.documents, loaded.spec.results) == ("bot", ("docs",), 7)
    assert loaded.resolve("docs") == file.parent / "docs"


def test_a_run_without_the_section_says_so(file: Path) -> None:
    (line,) = mistakes(file, RUN)
    assert line == ": there is no `rag` section"


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("documents: docs", "must be a list, not 'docs'; write [docs]"),
        ("documents: []", "must have at least 1 item(s), not empty"),
        ("chunk_chars: 20", "must be at least 100, not 20"),
        ("results: 0", "must be at least 1, not 0"),
        ("embedder: ''", "must have at least 1 character(s), not ''"),
        ("index: postgresql://me:secret@host/docs", ADDRESS),
        ("index: postgresql://me@host/docs?password=secret", ADDRESS),
        ("index: qdrant+https://host:6333/c?api_key=secret", ADDRESS),
        ("embedder: https://host/v1?key=secret#m", ADDRESS),
        ("embeder: none", "unknown key; did you mean 'embedder'?"),
    ],
)
def test_a_bad_value_is_one_line_with_file_line_and_key(file: Path, line: str, what: str) -> None:
    key = line.partition(":")[0]
    other = "" if key == "documents" else "\n  documents: [docs]"
    found = mistakes(file, f"name: bot\nrag:\n  {line}{other}\n")
    assert found == [f":3: rag.{key}: {what}"]


@pytest.mark.parametrize("head", ["name: bot\n", RUN], ids=["alone", "of a run"])
@pytest.mark.parametrize(
    ("item", "what"),
    [
        ("{path: hr, group: [hr]}", ".group: unknown key; did you mean 'groups'?"),
        ("{groups: [hr]}", ".path: required key is missing"),
        ("5", ': must be text or keys with values, not 5; write "5" in quotes'),
    ],
)
def test_documents_are_paths_or_say_more(file: Path, head: str, item: str, what: str) -> None:
    line = head.count("\n") + 2
    (found,) = mistakes(file, f"{head}rag:\n  documents: [{item}]\n")
    assert found == f":{line}: rag.documents.0{what}"


def test_an_empty_file_says_what_an_index_needs(file: Path) -> None:
    assert mistakes(file, "") == [":1: the file is empty; an index needs name, rag"]
