"""What customers write to a bank: requests with their intent, and requests with the details that they state.

Both are PolyAI's, and come with finewright: the files as published, in an archive beside this module, so
that a first run needs no network. BANKING77 (Casanueva et al. 2020, arXiv:2003.04807) has one of 77 intents
a request; NLU++ (Casanueva et al. 2022, arXiv:2204.13021) the words of a request that say a date, an amount,
a name."""

import csv
import io
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from pydantic import BaseModel

from finewright.catalog.sets import PackagedSet, read_sets
from finewright.data.sets.build import (
    Content,
    DataSet,
    Fetched,
    JsonRow,
    SetContent,
    add_source,
    digest,
    name_files,
)
from finewright.schema.common import Model

_DETAILS = (
    "amount_of_money", "company_name", "date", "date_from", "date_period", "date_to", "number",
    "person_name", "shopping_category", "time", "time_from", "time_period", "time_to",
)  # fmt: skip
_INSTRUCTION = (
    "Copy what the customer's message states into JSON, word for word. Keys, each only if stated: "
    f"{', '.join(_DETAILS)}. If nothing is stated, reply {{}}."
)


class IntentSettings(Model):
    """The parts are those of the authors: nothing is a matter of choice."""


class DetailSettings(Model):
    """How `bank-details` is made; its record says these."""

    first_test_fold: int = 16
    """Of the authors' 20 folds: a fifth tests."""
    without_details: int = 4
    """One of so many requests that state nothing is kept: two thirds do, and `{}` would answer them."""


class _Slot(BaseModel):
    text: str
    span: tuple[int, int]


class _Request(BaseModel):
    text: str
    slots: dict[str, _Slot] = {}


class _Labelled(NamedTuple):
    part: str
    text: str
    label: str
    path: str


def intents() -> DataSet:
    """`bank-intents` as the catalog has it."""
    return DataSet(read_sets("finewright.catalog")["bank-intents"], intent_content)


def details() -> DataSet:
    """`bank-details` as the catalog has it."""
    return DataSet(read_sets("finewright.catalog")["bank-details"], detail_content)


def intent_content(fetched: Sequence[Fetched], packaged: PackagedSet) -> SetContent:
    """A request and its intent a row; a text that both parts have, whatever its case, stays in the test."""
    package = fetched[0]
    rows = [row for path, text in package.texts() for row in _labelled(path, text)]
    tested = {row.text.casefold() for row in rows if row.part == "test"}
    dropped: Counter[str] = Counter()
    found: dict[str, list[JsonRow]] = {"train": [], "test": []}
    for row in rows:
        if row.part == "train" and row.text.casefold() in tested:
            dropped["training row that is a test row too"] += 1
            continue
        question = {"prompt": row.text, "completion": row.label}
        found[row.part].append(add_source(question, packaged.license, package.source, row.path))
    return SetContent(Content(name_files(found), IntentSettings(), dict(dropped)))


def _labelled(path: str, text: str) -> Iterator[_Labelled]:
    part = path.rpartition("/")[2].removesuffix(".csv")
    for row in csv.DictReader(io.StringIO(text, newline="")):
        yield _Labelled(part, " ".join(row["text"].split()), row["category"], path)


def detail_content(fetched: Sequence[Fetched], packaged: PackagedSet) -> SetContent:
    """A request and the JSON of its details a row, in the order of the request; a text once, in the test if
    it is there too."""
    package, settings = fetched[0], DetailSettings()
    dropped: Counter[str] = Counter()
    found: dict[str, list[JsonRow]] = {"train": [], "test": []}
    seen: set[str] = set()
    # The folds that test come first, so that a request in both parts is tested on.
    for fold, path, request in sorted(_requests(package), key=lambda each: -each[0]):
        if request.text.casefold() in seen:
            dropped["request that is there already"] += 1
            continue
        seen.add(request.text.casefold())
        if not request.slots and int(digest(request.text), 16) % settings.without_details:
            dropped["request that states nothing"] += 1
            continue
        part = "test" if fold >= settings.first_test_fold else "train"
        found[part].append(
            add_source(_conversation(request), packaged.license, package.source, path)
        )
    return SetContent(Content(name_files(found), settings, dict(dropped)))


def _requests(package: Fetched) -> Iterator[tuple[int, str, _Request]]:
    for path, text in package.texts():
        fold = int(path.rpartition("fold")[2].removesuffix(".json"))
        for request in json.loads(text):
            yield fold, path, _Request.model_validate(request)


def _conversation(request: _Request) -> JsonRow:
    stated = sorted(request.slots.items(), key=lambda item: item[1].span)
    answer = json.dumps({name: slot.text for name, slot in stated}, ensure_ascii=False)
    turns = (("system", _INSTRUCTION), ("user", request.text), ("assistant", answer))
    return {"messages": [{"role": role, "content": content} for role, content in turns]}
