"""The questions that an interview asks, each with its reason, and the spec that the answers make."""

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple, Protocol, get_args

import yaml
from pydantic import ValidationError

from finewright.catalog.prices import gpu_named, own_folder, prices
from finewright.errors import DataError
from finewright.schema.amounts import number_of
from finewright_advice.catalog.laws import read_packaged_laws
from finewright_advice.decide.spec import UNKNOWN, DecideSpec, PersonalData, Task


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
        """The answer as typed, with its line end; empty where the input has ended. `complaint` says what was
        wrong with the last one, or is empty."""
        ...


_WHOLE = "a whole number from 0 to 1,000,000,000,000"
_TOKENS = "a whole number from 1 to 100,000,000"
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
        "labels",
        "How many different labels are there?",
        "more labels need more labelled cases, and are harder to tell apart",
        "40",
        "a whole number from 2 to 10,000",
    ),
    InterviewQuestion(
        "rule_share",
        "Which share of the cases does a fixed rule get right: a pattern, a table, a list of words?",
        "from 90% on a rule may do it without a model",
        "60%",
        "a share from 0 to 1, or from 0% to 100%",
    ),
    InterviewQuestion(
        "languages",
        "Which languages do questions and documents have? As codes, with commas between",
        "a model that was not made for one of them is no option",
        "de, en",
        "codes of ISO 639-1 such as de, en",
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
        "a whole number from 0 to 1,000,000,000",
    ),
    InterviewQuestion(
        "data_class",
        "How sensitive are questions and documents? public, internal, confidential or regulated",
        "who may see them decides where the model may run",
        "internal",
        "one of public, internal, confidential, regulated",
    ),
    InterviewQuestion(
        "personal_data",
        "Is it about persons? none, personal, or special: health, origin, belief and the like",
        "the GDPR asks for more, of training rows too",
        "personal",
        f"one of {', '.join(get_args(PersonalData))}",
    ),
    InterviewQuestion(
        "talks_to_people",
        "Do people talk with it directly, be they customers or your own staff?",
        "then the law has them told that it is a machine",
        "no",
        "yes or no",
    ),
    InterviewQuestion(
        "on_premise_only",
        "Must everything stay on your own machines?",
        "then no API is an option",
        "no",
        "yes or no",
    ),
    InterviewQuestion(
        "hardware",
        "Which GPUs of your own may it run on? One by one, with commas between; or none",
        "your own machine costs its power alone, and what is held nowhere is no option",
        "L40S, L40S",
        "GPUs by their names in `finewright catalog list`, with commas between, or none",
    ),
    InterviewQuestion(
        "requests_per_month",
        "How many requests a month?",
        "an API is paid by the request, a machine by the month",
        "30000",
        _WHOLE,
    ),
    InterviewQuestion(
        "tokens_in",
        "How many tokens have instructions and question, without documents? A word has about 1.3",
        "an API is paid by the token, and a machine reads only so many a second",
        "500",
        _TOKENS,
    ),
    InterviewQuestion(
        "tokens_out",
        "How many tokens has an answer? A label has about 5, a page 500",
        "they are the dearest and the slowest",
        "250",
        _TOKENS,
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
        f"In which field is it used? {', '.join(read_packaged_laws().domains)}",
        "in some of them the law asks for more",
        "other",
        f"one of {', '.join(read_packaged_laws().domains)}",
    ),
)
_ABOUT_DOCUMENTS = ("fact_half_life_days", "corpus_tokens", "citations", "per_document_access")
_WORDS = {"yes": True, "y": True, "no": False, "n": False, "true": True, "false": False}
_ONLY_FOR = {
    "labels": ("classify", UNKNOWN),
    "rule_share": ("classify", "extract", UNKNOWN),
}
"""Questions that other kinds of work have no answer to."""
_UNKNOWN_WORDS = ("", "?", "unknown", "u")


def interview(reply: Reply) -> dict[str, Any]:  # Any: what a spec's key may hold
    """Ask until every answer can be; unknown always can. Numbers may be `30k`, `2M`, `5 GB` or `2 s`.

    What nothing depends on is not asked: labels of a text, documents without a gap in knowledge. Where the
    input ends, the rest stays without an answer."""
    answers: dict[str, Any] = {}
    for question in QUESTIONS:
        if not _concerns(question.key, answers):
            continue
        typed = reply(question, "")
        while typed and (value := _parse_answer(question.key, typed)) is None:
            typed = reply(question, f"that cannot be; an answer is {question.range}, or unknown")
        if not typed:
            break
        answers[question.key] = value
    return answers


def _concerns(key: str, answers: Mapping[str, Any]) -> bool:  # Any: what a spec's key may hold
    if answers.get("knowledge_gap") == 0 and key in _ABOUT_DOCUMENTS:
        return False
    return key not in _ONLY_FOR or answers["task"] in _ONLY_FOR[key]


def spec_text(path: Path, answers: Mapping[str, Any]) -> str:  # Any: what a spec's key may hold
    """The spec as YAML, each answer under its question, and where the answers ended too early."""
    name = (
        re.sub(r"[^a-z0-9-]+", "-", path.stem.casefold()).strip("-")[:63].strip("-") or "decision"
    )
    lines = [f"# Written by `finewright decide`; edit it, then `finewright decide {path.name}`."]
    lines += [f"name: {_scalar(name)}", "decide:"]
    for question in QUESTIONS:
        if question.key in answers:
            value = _scalar(answers[question.key])
            lines += [f"  # {question.text}", f"  {question.key}: {value}"]
    if QUESTIONS[-1].key not in answers:
        lines.append(
            "  # The input ended here: nobody answered the rest, and it is taken as unknown."
        )
    return "\n".join(lines) + "\n"


def _parse_answer(key: str, typed: str) -> Any:  # Any: what a spec's key may hold
    """The answer as the spec reads it; None where that cannot be."""
    if _word(typed) in _UNKNOWN_WORDS:
        return UNKNOWN
    given = _READ.get(key, str)(typed)
    try:
        value = getattr(DecideSpec.model_validate({key: given}), key)
    except ValidationError:
        return None
    if not _is_known(key, value):
        return None
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _word(typed: str) -> str:
    return typed.strip().casefold()


def _claim(typed: str) -> object:
    return _WORDS.get(_word(typed), typed)


def _degree(typed: str) -> object:
    word = _word(typed)
    return number_of(word, {}) if word.isdigit() else typed


def _items(typed: str) -> object:
    items = [item.strip() for item in typed.split(",") if item.strip()]
    return _word(typed) if _word(typed) == "none" else items


_READ: Mapping[str, Callable[[str], object]] = {
    **dict.fromkeys(("task", "data_class", "personal_data", "domain"), _word),
    **dict.fromkeys(
        ("citations", "per_document_access", "talks_to_people", "on_premise_only"), _claim
    ),
    **dict.fromkeys(("knowledge_gap", "behaviour_gap"), _degree),
    **dict.fromkeys(("languages", "hardware"), _items),
}
"""How what is typed is read; any other as it stands."""


def _is_known(key: str, value: Any) -> bool:  # Any: what a spec's key may hold
    """Whether the field of use, or every GPU, is one that is known."""
    if key == "domain":
        return value in read_packaged_laws().domains
    if key != "hardware" or value == "none":
        return True
    known = prices(own_folder())
    try:
        return all(gpu_named(known, name) for name in value)
    except DataError:
        return False


def _scalar(value: object) -> str:
    return yaml.safe_dump(value, default_flow_style=True, width=10**6).partition("\n")[0]
