"""The bank's articles, and the requests that they answer."""

import gzip
import json

import pytest

from finewright.conformance.packages import make_fetched, make_packaged_set, rows_of
from finewright.conformance.set import SetConformance
from finewright.data.sets.bank_docs import content
from finewright.data.sets.build import Fetched, build_set

FOLDER = "inspect_evals/tau2/data/domains/banking_knowledge"
ARTICLES = [
    {"id": "doc_1", "title": "Cards", "content": "## Fees\n\nNone.\n"},
    {"id": "doc_2", "title": "Loans", "content": "Call open_loan_4821."},
]


def task(id: str, instructions: str, documents: list[str]) -> dict:
    return {
        "id": id,
        "user_scenario": {"persona": None, "instructions": instructions},
        "required_documents": documents,
        "evaluation_criteria": {},
    }


def package(*tasks: dict) -> Fetched:
    files = {
        f"{FOLDER}/documents.json.gz": gzip.compress(json.dumps(ARTICLES).encode()),
        f"{FOLDER}/tasks.json": json.dumps(tasks),
    }
    return make_fetched(files)


def built(*tasks: dict):
    return content([package(*tasks)], make_packaged_set()).rows


class TestBankDocs(SetConformance):
    name = "bank-docs"

    @pytest.fixture
    def fetched(self) -> list[Fetched]:
        return [package(task("task_1", "Ask for a card.", ["doc_1"]))]


def test_an_article_is_a_document_with_its_title_as_heading():
    first, second = rows_of(built(), "documents")
    assert first == {
        "id": "doc_1",
        "title": "Cards",
        "text": "# Cards\n\n## Fees\n\nNone.",
        "license": "MIT",
        "source": "by-hand@1.0.0",
        "source_file": f"{FOLDER}/documents.json.gz",
    }
    assert second["text"].endswith("open_loan_4821.")


def test_a_task_is_asked_whole_with_the_ids_of_its_articles():
    said = 'You are Ann.\n\n1. **Opening:** "I need a loan for my house, please. " 2. Insist.\n'
    (row,) = rows_of(built(task("task_1", said, ["doc_2", "doc_1"])), "questions")
    assert row["prompt"] == said.strip()
    assert row["opening"] == "I need a loan for my house, please."
    assert row["gold"] == ["doc_2", "doc_1"]
    assert row["source_file"] == f"{FOLDER}/tasks.json"


@pytest.mark.parametrize(
    ("said", "opening"),
    [
        (
            'Say "Gold Card" and "Hello, I lost my card today." first.',
            "Hello, I lost my card today.",
        ),
        (
            '1. **Start naturally:** "My card does not work at all."',
            "My card does not work at all.",
        ),
        ('Push back: "But why should I wait for it any longer?"', None),
        ("You need a loan.", None),
    ],
)
def test_the_opening_is_what_the_customer_says_first(said, opening):
    (row,) = rows_of(built(task("task_1", said, ["doc_1"])), "questions")
    assert row["opening"] == opening


def test_a_task_whose_articles_are_not_there_is_left_out_and_counted():
    rows = built(task("a", "Ask.", ["doc_9"]), task("b", "Ask.", ["doc_9", "doc_1"]))
    assert [(row["id"], row["gold"]) for row in rows_of(rows, "questions")] == [("b", ["doc_1"])]
    assert rows.dropped == {"task that needs no article of the set": 1}


@pytest.mark.network
@pytest.mark.parametrize("name", ["bank-docs", "bank-facts"])
def test_every_gold_document_is_there(tmp_path, name):
    report = build_set(name, tmp_path / "out")
    files = {
        file: [json.loads(line) for line in (tmp_path / "out" / file).read_bytes().splitlines()]
        for file in report.provenance.files
    }
    documents = files.pop("documents.jsonl")
    ids = {row["id"] for row in documents}
    assert len(ids) == len(documents)
    assert all(
        row["gold"] and ids.issuperset(row["gold"]) for rows in files.values() for row in rows
    )
