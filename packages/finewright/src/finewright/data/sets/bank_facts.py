"""Questions about a made-up bank's fees, limits, rates and terms, with the answer in its articles' own words.

The articles are those of `bank-docs`. They state many facts as `- Annual fee: $200.00` or as a row of a
table; each that is one value of one product becomes a question. Products are held out whole: no fact of a
product that is tested on is trained on."""

import gzip
import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
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
    digest,
    hold_out_families,
    name_files,
)
from finewright.schema.common import Model

_DOCUMENTS = "documents.json.gz"
_ID = re.compile(
    r"doc_(?P<kind>checking_accounts|savings_accounts|credit_cards|business_checking_accounts"
    r"|business_savings_accounts|business_credit_cards|buy_now_pay_later)_(?P<slug>.+)_\d+"
)
_KINDS = {
    "business_checking_accounts": "business checking account",
    "business_savings_accounts": "business savings account",
}
# Articles about all products of a kind, or about what is not a product.
_NO_PRODUCT = re.compile(r"general|management|logistics|sweep|holders|program")
_STATED = (
    re.compile(r"^[-*] (?:\*\*)?([A-Z][^:|?\n]{3,60}?)(?:\*\*)?:(?:\*\*)? +([^\n]+)$", re.M),
    re.compile(r"^\| *([A-Z][^|\n]{3,60}?) *\| *([^|\n]+?) *\|$", re.M),
)
# An amount, a share or a number, with a unit if it has one. `$150 days` and the like are slips of the source.
_VALUE = re.compile(
    r"(?P<value>\$\d[\d,]*(?:\.\d+)?|\d[\d,]*(?:\.\d+)?(?:%| (?:days?|months?|years?|hours?|minutes?))?)"
    r"(?: (?:per|each)\b[^.]*|/\w+)?\.?"
)
_ATTRIBUTE = re.compile(
    r"\b(fee|fees|APY|APR|limit|limits|balance|deposit|deposits|rate|period|threshold|minimum|maximum|cap"
    r"|bonus|credit|discount|rebate|window|penalty|surcharge|score|age|yield|withdrawals|transfers)\b",
    re.I,
)
_CLAUSE = re.compile(
    r"^(?:With|You|Your|If|Use|Keep|Their|No|Review|Confirm|After|When)\b|\b(?:you|your)\b|Card\b"
)
_ACRONYM = re.compile(r"^(?:[A-Z]{2,}|ACH|ATM)\b|^[A-Z]\w*[A-Z]")
_WORD = re.compile(r"[a-z]{3,}")
_QUESTION_FORMS = (
    "What is the {attribute} of the {product}?",
    "For the {product}, what is the {attribute}?",
    "{product}: what is the {attribute}?",
)


class FactSettings(Model):
    """How the set is made; its record says these."""

    seed: int = 0
    held_out_share: float = 0.3
    """Of the facts, by whole products."""


class _Article(BaseModel):
    id: str
    title: str
    content: str


class _Fact(NamedTuple):
    product: str
    attribute: str
    value: str


def data_set() -> DataSet:
    """`bank-facts` as the catalog has it."""
    return DataSet(read_sets("finewright.catalog")["bank-facts"], content)


def content(fetched: Sequence[Fetched], packaged: PackagedSet) -> SetContent:
    """Every article as a document, and its facts as questions: `gold` names all articles that state it.

    A fact that the product's articles state with two values is left out, and counted."""
    package = fetched[0]
    (path,) = (name for name in package.files if name.endswith(_DOCUMENTS))
    articles = TypeAdapter(tuple[_Article, ...]).validate_python(
        json.loads(gzip.decompress(package.files[path]))
    )
    texts = {article.id: f"# {article.title}\n\n{article.content.strip()}" for article in articles}
    documents = [
        {"id": article.id, "title": article.title, "text": texts[article.id]}
        for article in articles
    ]
    dropped: Counter[str] = Counter()
    settings = FactSettings()
    facts = list(_facts(texts, dropped))
    held_out = hold_out_families(
        [fact.product for fact in facts], settings.held_out_share, settings.seed
    )
    rows: dict[str, list[JsonRow]] = {"documents": documents, "train": [], "test": []}
    for fact in facts:
        rows["test" if fact.product in held_out else "train"].append(_question(fact, texts))
    named = {
        name: [add_source(row, packaged.license, package.source, path) for row in of_file]
        for name, of_file in rows.items()
    }
    return SetContent(Content(name_files(named), settings, dict(dropped)))


def product_of(article: str) -> str:
    """The product that an article is about, by its id; empty for one about several."""
    found = _ID.fullmatch(article)
    if not found or _NO_PRODUCT.search(found["slug"]):
        return ""
    words = [_capital(word) for word in found["slug"].split("_")]
    name = " ".join(words)
    return name if found["kind"] not in _KINDS else _with_kind(name, _KINDS[found["kind"]])


def _with_kind(name: str, kind: str) -> str:
    """`Beige business checking account`; a name that says what it is keeps its form."""
    return name if name.endswith(("Account", "Card", "Saver", "Vault")) else f"{name} {kind}"


def _capital(word: str) -> str:
    return word if word.startswith("(") else word.upper() if word == "bnpl" else word.capitalize()


def _facts(texts: Mapping[str, str], dropped: Counter[str]) -> Iterator[_Fact]:
    stated: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
    for article, text in texts.items():
        product = product_of(article)
        for attribute, said in _lines(text) if product else ():
            if _CLAUSE.search(attribute) or not _ATTRIBUTE.search(attribute):
                dropped["line that names no fee, limit, rate or term"] += 1
            elif found := _VALUE.fullmatch(said):
                stated[product, _uncapital(attribute)].add(found["value"])
            else:
                dropped["value that is no single number"] += 1
    for (product, attribute), values in stated.items():
        if len(values) > 1:
            dropped["fact with two values"] += 1
        else:
            yield _Fact(product, attribute, next(iter(values)))


def _lines(text: str) -> Iterator[tuple[str, str]]:
    for form in _STATED:
        for found in form.finditer(text):
            if any(character.isdigit() for character in found[2]):
                yield found[1].strip(), found[2].strip()


def _uncapital(attribute: str) -> str:
    return attribute if _ACRONYM.search(attribute) else attribute[0].lower() + attribute[1:]


def _question(fact: _Fact, texts: Mapping[str, str]) -> JsonRow:
    form = _QUESTION_FORMS[
        int(digest(f"{fact.product}:{fact.attribute}"), 16) % len(_QUESTION_FORMS)
    ]
    return {
        "prompt": form.format(attribute=fact.attribute, product=fact.product),
        "completion": fact.value,
        "gold": [id for id, text in texts.items() if _states(fact, id, text)],
        "product": fact.product,
    }


def _states(fact: _Fact, article: str, text: str) -> bool:
    """Whether it is one of the product's articles, with the value and most of the attribute's words."""
    if product_of(article) != fact.product or not _stands(fact.value, text):
        return False
    wanted, words = set(_WORD.findall(fact.attribute.lower())), set(_WORD.findall(text.lower()))
    return 2 * len(wanted & words) >= len(wanted)


def _stands(value: str, text: str) -> bool:
    return re.search(rf"(?<![\d.,$]){re.escape(value)}(?![\d%]|[.,]\d)", text) is not None
