"""`finewright data raft`: options reach the rows, and what cannot be is one line."""

import json
from pathlib import Path

import pytest

from cli.conftest import Finewright
from finewright.schema.passages import Document
from finewright_rag.indexing.build import build_index
from finewright_rag.stores import sqlite
from finewright_rag.stores.index import FORMAT, About

QUESTION = {"prompt": "What does the card cost?", "completion": "5 dollars", "gold": ["a"]}


@pytest.fixture
def folder(project: Path) -> Path:
    """Questions and an index of two documents, of which one is the staff's."""
    (project / "q.jsonl").write_text(json.dumps(QUESTION) + "\n")
    index = sqlite.create(project / "index.sqlite", About(FORMAT, "", 0, 1200, {"lexical": 1.0}))
    documents = [
        Document("a", "The card costs 5 dollars.", license="MIT"),
        Document("b", "The card is yellow.", license="MIT"),
        Document("c", "The card of the staff is green.", license="internal", groups=("staff",)),
    ]
    build_index(index, None, documents, 1200)
    index.close()
    return project


CALL = ("data", "raft", "q.jsonl", "index.sqlite", "--out", "raft.jsonl", "--base-model", "")
ALWAYS = ("--gold-share", "1", "--unanswerable-share", "0")


@pytest.mark.parametrize(
    ("more", "documents"), [((), "ab"), (("--group", "staff"), "abc"), (("--all",), "abc")]
)
def test_options_reach_the_rows(
    finewright: Finewright, folder: Path, more: tuple[str, ...], documents: str
) -> None:
    done = finewright(*CALL, *ALWAYS, *more)
    assert done.code == 0, done.err
    (row,) = [json.loads(line) for line in (folder / "raft.jsonl").read_text().splitlines()]
    assert {passage["document"] for passage in row["passages"]} == set(documents)
    assert row["messages"][-1]["content"].endswith('The card costs 5 dollars."\n\n5 dollars')
    assert "1 questions: 1 rows written" in done.out


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (("--distractors", "0"), "--distractors"),
        (("--gold-share", "1.2"), "--gold-share"),
        (("--unanswerable-share", "-0.1"), "--unanswerable-share"),
        (("--group", "staff", "--all"), "--all and --group do not go together"),
        (("--embedder", "nonsense"), "nonsense"),
    ],
)
def test_what_cannot_be_is_one_line_and_no_file(
    finewright: Finewright, folder: Path, more: tuple[str, ...], said: str
) -> None:
    refused = finewright(*CALL, *more)
    assert (refused.code, refused.out) == (2, "")
    assert said in refused.err
    assert "Traceback" not in refused.err
    assert not (folder / "raft.jsonl").exists()
