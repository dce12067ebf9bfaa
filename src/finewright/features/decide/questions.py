"""The questions that an interview asks, each with its reason, and the spec that the answers make."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple, Protocol, get_args

import yaml
from pydantic import ValidationError

from finewright.catalog.laws import packaged_laws
from finewright.features.decide.amounts import number_of
from finewright.features.decide.spec import UNKNOWN, DecideSpec, Task


class InterviewQuestion(NamedTuple):
    """A key of the `decide` section as a question: how an answer may look, and all that it can be."""

    key: str
    text: str
    why: str
    example: str
    range: str


class Reply(Protocol):
    """Who answers: a person at a terminal, or a test."""

    def __call__(self, question: InterviewQuestion, complaint: str) -> str:
        """The answer as typed; `complaint` says what was wrong with the last one, or is empty."""
        ...


_WHOLE = "a whole number from 0 to 1,000,000,000,000"
QUESTIONS = (
    InterviewQuestion(
        "task",
        "What kind of work is it? answer, extract, classify, write, code or converse",
        "which models can do it, what a rule or a small classifier does, and what a label costs",
        "answer",
        f"one of {', '.join(get_args(Task))}",
    ),
    InterviewQuestion(
        "knowledge_gap",
        "How much of what it must know can no general model know? 0 nothing, 3 most",
        "what a model must know is best put into its prompt; what it must do is best trained",
        "2",
        "0, 1, 2 or 3",
    ),
    InterviewQuestion(
        "behaviour_gap",
        "How far is a well prompted model from the form, tone or skill you want? 0 not at all, 3 far",
        "this is what fine-tuning closes",
        "1",
        "0, 1, 2 or 3",
    ),
    InterviewQuestion(
        "fact_half_life_days",
        "After how many days have half of its facts changed?",
        "facts that change faster than a model is trained again cannot live in weights",
        "90",
        "a number from 0.001 to 1,000,000,000",
    ),
    InterviewQuestion(
        "corpus_tokens",
        "How many tokens do the documents have that answers rest on? A page has about 500; or as 5 GB of"
        " text; 0 for none",
        "below 200,000 they fit into a cached prompt, and no index is needed",
        "400000",
        _WHOLE,
    ),
    InterviewQuestion(
        "citations",
        "Must an answer name its source?",
        "weights cannot cite",
        "yes",
        "yes or no",
    ),
    InterviewQuestion(
        "per_document_access",
        "Are there documents that only some users may see?",
        "weights answer every user alike",
        "no",
        "yes or no",
    ),
    InterviewQuestion(
        "labelled_pairs",
        "How many checked pairs of question and good answer do you have?",
        "under 50 there is nothing to fine-tune on; 500 are comfortable",
        "300",
        _WHOLE,
    ),
    InterviewQuestion(
        "data_class",
        "How sensitive are questions and documents? public, internal, confidential or regulated",
        "who may see them decides where the model may run",
        "internal",
        "one of public, internal, confidential, regulated",
    ),
    InterviewQuestion(
        "on_premise_only",
        "Must everything stay on your own machines?",
        "then no API is an option",
        "no",
        "yes or no",
    ),
    InterviewQuestion(
        "requests_per_month",
        "How many requests a month?",
        "an API is paid by the request, a machine by the month",
        "30000",
        _WHOLE,
    ),
    InterviewQuestion(
        "document_tokens",
        "How many tokens has a document that comes with each request, such as a contract to review? A page"
        " has about 500; 0 for none",
        "it stands whole in the prompt: the model must be able to read it, and it is paid each time",
        "0",
        _WHOLE,
    ),
    InterviewQuestion(
        "latency_p95_ms",
        "How long may 95 of 100 whole answers take? In milliseconds, or as 2 s",
        "what is slower is no option",
        "8 s",
        "a time above 0 such as 800 ms or 8 s",
    ),
    InterviewQuestion(
        "month_budget_usd",
        "What may it cost a month at most, in US dollars?",
        "cost is judged by your own limit",
        "500",
        "a number above 0 and up to 1,000,000,000",
    ),
    InterviewQuestion(
        "once_budget_usd",
        "What may it cost before the first answer at most, in US dollars, people's time not counted?",
        "training runs and the index of a large corpus are paid once",
        "2k",
        "a number above 0 and up to 1,000,000,000",
    ),
    InterviewQuestion(
        "domain",
        f"In which field is it used? {', '.join(packaged_laws().domains)}",
        "in some of them the law asks for more",
        "other",
        f"one of {', '.join(packaged_laws().domains)}",
    ),
)
_ABOUT_DOCUMENTS = ("fact_half_life_days", "corpus_tokens", "citations", "per_document_access")
_WORDS = {"yes": True, "y": True, "no": False, "n": False, "true": True, "false": False}
_CLAIMS = ("citations", "per_document_access", "on_premise_only")
_DEGREES = ("knowledge_gap", "behaviour_gap")
_CHOSEN = ("task", "data_class", "domain")
_UNKNOWN_WORDS = ("", "?", "unknown", "u")


def interview(reply: Reply) -> dict[str, Any]:  # Any: what a spec's key may hold
    """Ask until every answer can be; unknown always can. Numbers may be `30k`, `2M`, `5 GB` or `2 s`.

    Without a gap in knowledge, documents are not asked about, for nothing depends on them."""
    answers: dict[str, Any] = {}
    for question in QUESTIONS:
        if answers.get("knowledge_gap") == 0 and question.key in _ABOUT_DOCUMENTS:
            continue
        complaint = ""
        while (value := _value(question.key, reply(question, complaint))) is None:
            complaint = f"that cannot be; an answer is {question.range}, or unknown"
        answers[question.key] = value
    return answers


def spec_text(path: Path, answers: Mapping[str, Any]) -> str:  # Any: what a spec's key may hold
    """The spec as YAML, each answer under its question."""
    name = (
        re.sub(r"[^a-z0-9-]+", "-", path.stem.casefold()).strip("-")[:63].strip("-") or "decision"
    )
    lines = [f"# Written by `finewright decide`; edit it, then `finewright decide {path.name}`."]
    lines += [f"name: {_scalar(name)}", "decide:"]
    for question in QUESTIONS:
        if question.key in answers:
            value = _scalar(answers[question.key])
            lines += [f"  # {question.text}", f"  {question.key}: {value}"]
    return "\n".join(lines) + "\n"


def _value(key: str, typed: str) -> Any:  # Any: what a spec's key may hold
    """The answer as the spec reads it; None where that cannot be."""
    word = typed.strip().casefold()
    if word in _UNKNOWN_WORDS:
        return UNKNOWN
    given: object = word if key in _CHOSEN else typed
    if key in _CLAIMS:
        given = _WORDS.get(word, typed)
    elif key in _DEGREES:
        given = number_of(word, {}) if word.isdigit() else typed
    try:
        value = getattr(DecideSpec.model_validate({key: given}), key)
    except ValidationError:
        return None
    if key == "domain" and value not in packaged_laws().domains:
        return None
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _scalar(value: object) -> str:
    return yaml.safe_dump(value, default_flow_style=True).partition("\n")[0]
