"""The knowledge base of a made-up bank, and customers whose requests it answers.

The articles are those of tau2-bench's banking domain. Its tasks are texts for one who plays the
customer; they are asked whole, since the articles that a task needs follow from all of it."""

import gzip
import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from pydantic import BaseModel, TypeAdapter

from finewright.catalog.sets import PackagedSet, read_sets
from finewright.data.sets.build import (
    Content,
    DataSet,
    Fetched,
    JsonRow,
    SetContent,
    add_source,
    name_files,
)
from finewright.schema.common import Model

_DOCUMENTS, _TASKS = "documents.json.gz", "tasks.json"
# What the customer says first, in quotes: after such a heading, or a greeting.
_OPENING = re.compile(r'(?:\b(?:Opening|Start)\b[^"\n]*"|"(?=(?:Hi|Hello|Hey)\b))([^"\n]{20,})"')


class BankSettings(Model):
    """Nothing of the set is a matter of choice: it has no seed and no split."""


class _Article(BaseModel):
    id: str
    title: str
    content: str


class _Scenario(BaseModel):
    instructions: str


class _Task(BaseModel):
    id: str
    user_scenario: _Scenario
    required_documents: tuple[str, ...]


class _Origin(NamedTuple):
    """What every row of a file says of where it is from."""

    license: str
    source: str
    source_file: str


def data_set() -> DataSet:
    """`bank-docs` as the catalog has it."""
    return DataSet(read_sets("finewright.catalog")["bank-docs"], content)


def content(fetched: Sequence[Fetched], packaged: PackagedSet) -> SetContent:
    """Every article as a document, every task as a question with the ids of its articles.

    `opening` is what the customer says first, if the task has it in quotes: a short query, which the
    articles that are needed later do not all follow from."""
    package = fetched[0]
    paths = {path.rpartition("/")[2]: path for path in package.files}
    origins = {
        name: _Origin(packaged.license, package.source, path) for name, path in paths.items()
    }
    articles = json.loads(gzip.decompress(package.files[paths[_DOCUMENTS]]))
    tasks = json.loads(package.files[paths[_TASKS]])
    dropped: Counter[str] = Counter()
    documents = list(_documents(articles, origins[_DOCUMENTS]))
    known = {row["id"] for row in documents}
    rows = {
        "documents": documents,
        "questions": list(_questions(tasks, known, origins[_TASKS], dropped)),
    }
    return SetContent(Content(name_files(rows), BankSettings(), dict(dropped)))


def _documents(articles: object, origin: _Origin) -> Iterator[JsonRow]:
    for article in TypeAdapter(tuple[_Article, ...]).validate_python(articles):
        text = f"# {article.title}\n\n{article.content.strip()}"
        yield add_source({"id": article.id, "title": article.title, "text": text}, *origin)


def _questions(
    tasks: object, known: set[str], origin: _Origin, dropped: Counter[str]
) -> Iterator[JsonRow]:
    for task in TypeAdapter(tuple[_Task, ...]).validate_python(tasks):
        gold = [document for document in task.required_documents if document in known]
        if not gold:
            dropped["task that needs no article of the set"] += 1
            continue
        said = task.user_scenario.instructions.strip()
        opening = _OPENING.search(said)
        row = {
            "id": task.id,
            "prompt": said,
            "opening": opening[1].strip() if opening else None,
            "gold": gold,
        }
        yield add_source(row, *origin)
