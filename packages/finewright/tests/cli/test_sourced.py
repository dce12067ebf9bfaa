"""A conversation with an index: each question has its passages, and each answer what they prove of it."""

import json
from pathlib import Path

import pytest

from cli.conftest import Finewright
from served import Asked, Reply, served

GUIDE = """\
# Cards

## Fees

The gold card costs 96 euros a year.

## Disputes

A dispute is filed within 60 days of the statement.
"""
SALARY = {
    "id": "pay",
    "title": "Salaries",
    "text": "The clerk earns 2,400 euros.",
    "groups": ["hr"],
}
SAID = '[1] "The gold card costs 96 euros a year."\n96 euros, or 97, says [7].'


@pytest.fixture(autouse=True)
def _index(project: Path, finewright: Finewright) -> None:
    Path("guide.md").write_text(GUIDE)
    Path("records.jsonl").write_text(json.dumps(SALARY) + "\n")
    made = finewright("rag", "index", "guide.md", "records.jsonl", "--embedder", "none")
    assert made.code == 0, made.err


def quoting(asked: Asked) -> Reply:
    """A server that has read its passages, and some that nobody gave it."""
    has_passage = "The gold card costs" in asked.body["messages"][-1]["content"]
    chunk = {"choices": [{"delta": {"content": SAID if has_passage else "No idea."}}]}
    return Reply(f"data: {json.dumps(chunk)}\n\ndata: [DONE]\n\n".encode())


def test_an_answer_is_shown_with_what_the_passages_prove_of_it(finewright: Finewright) -> None:
    question = "What does the gold card cost?"
    with served(quoting) as server:
        shown = finewright("chat", f"{server.url}#m", "--rag", "index.sqlite", "-p", question)
    assert (shown.code, shown.out) == (0, SAID + "\n")
    start = GUIDE.index("## Fees")
    lines = shown.err.splitlines()
    unknown = "whether a document has this is not known: the index is not calibrated"
    assert lines[0].startswith(unknown)
    assert lines[1:4] == [
        'verified in [1]: "The gold card costs 96 euros a year."',
        "NOT FOUND: there is no passage [7]",
        "NOT FOUND in any passage: the numbers 97",
    ]
    end = GUIDE.index("\n\n## Disputes")
    assert lines[4] == f"[1] Cards > Fees (guide.md, characters {start}-{end})"
    (call,) = server.asked
    (turn,) = call.body["messages"]
    assert turn["content"].startswith("Use these passages.")
    assert turn["content"].endswith(question)


def test_the_model_is_not_asked_where_nobody_may_see_a_passage(finewright: Finewright) -> None:
    asked = ("--rag", "index.sqlite", "-p", "clerks salaries")
    with served(quoting) as server:
        target = f"{server.url}#m"
        public = finewright("chat", target, *asked)
        assert server.asked == []
        staff = finewright("chat", target, *asked, "--group", "hr")
    assert public.out == "The passages do not hold the answer.\n"
    assert "nothing found, of what the public may see: the model was not asked" in public.err
    assert staff.out == "No idea.\n"
    assert "read and not cited: [1] Salaries" in staff.err
    assert "2,400" in server.asked[0].body["messages"][-1]["content"]


def test_in_two_columns_each_answer_has_its_own_proof(finewright: Finewright) -> None:
    with served(quoting) as server:
        targets = (f"{server.url}#a", "--compare", f"{server.url}#b")
        shown = finewright("chat", *targets, "--rag", "index.sqlite", "-p", "gold card")
    assert shown.out.count("verified in [1]") == 2


@pytest.mark.parametrize("option", [("--group", "hr"), ("--all",), ("--anyway",)])
def test_how_an_index_is_asked_needs_an_index(
    option: tuple[str, ...], finewright: Finewright
) -> None:
    refused = finewright("chat", "http://127.0.0.1:9/v1#m", "-p", "Hi", *option)
    assert refused.code == 2
    assert f"{option[0]} says how an index is asked" in refused.err


def test_sources_that_a_server_names_are_shown(finewright: Finewright) -> None:
    url = {"title": "Fees", "url": "https://bank.example/fees", "start_index": 0, "end_index": 3}
    cited = [{"type": "url_citation", "url_citation": url}, {"type": "file", "filename": "a.md"}]
    deltas = [{"content": "It is 12."}, {"annotations": cited}, {"annotations": cited[:1]}]
    lines = [f"data: {json.dumps({'choices': [{'delta': delta}]})}\n\n" for delta in deltas]
    with served(lambda _: Reply("".join(lines).encode())) as server:
        shown = finewright("chat", f"{server.url}#m", "-p", "Hi")
    assert shown.out == "It is 12.\n"
    assert shown.err.splitlines() == ["Fees https://bank.example/fees", "a.md"]
