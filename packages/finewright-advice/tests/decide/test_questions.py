"""Questions, each with its reason; unknown is always an answer; the answers are a spec."""

from pathlib import Path

import pytest
import yaml

from finewright.schema.load_section import load_section
from finewright_advice.decide.questions import QUESTIONS, InterviewQuestion, interview, spec_text
from finewright_advice.decide.spec import DecideSpec


class Person:
    """Answers by key, the first that is left; whom nobody answers for, unknown."""

    def __init__(self, **answers: list[str]) -> None:
        self.answers = answers
        self.asked: list[str] = []
        self.complaints: list[str] = []

    def __call__(self, question: InterviewQuestion, complaint: str) -> str:
        self.asked.append(question.key)
        self.complaints += [complaint] if complaint else []
        return (self.answers.get(question.key) or ["unknown"]).pop(0)


def test_what_the_ranking_depends_on_most_is_asked_and_each_question_has_a_reason() -> None:
    asked = {question.key for question in QUESTIONS}
    assert asked >= {"task", "latency_p95_ms", "data_class", "domain", "once_budget_usd"}
    assert all(question.text and question.why for question in QUESTIONS)
    assert {question.key for question in QUESTIONS} <= DecideSpec.model_fields.keys()


def test_unknown_to_everything_is_a_spec(tmp_path: Path) -> None:
    answers = interview(Person())
    path = tmp_path / "Our new bot.yaml"
    path.write_text(spec_text(path, answers))
    loaded = load_section("decide", DecideSpec, path)
    assert loaded.name == "our-new-bot"
    assert loaded.spec == DecideSpec()


def test_answers_come_into_the_spec_as_they_were_meant(tmp_path: Path) -> None:
    person = Person(
        knowledge_gap=["2"],
        fact_half_life_days=["90"],
        corpus_tokens=["400,000"],
        citations=["Yes"],
        per_document_access=["n"],
        month_budget_usd=["$500"],
    )
    path = tmp_path / "a.yaml"
    path.write_text(spec_text(path, interview(person)))
    spec = load_section("decide", DecideSpec, path).spec
    assert (spec.knowledge_gap, spec.corpus_tokens, spec.citations) == (2, 400_000, True)
    assert (spec.fact_half_life_days, spec.per_document_access, spec.month_budget_usd) == (
        90,
        False,
        500,
    )


@pytest.mark.parametrize(
    ("key", "typed", "taken"),
    [
        ("requests_per_month", "30k", 30_000),
        ("requests_per_month", "2M", 2_000_000),
        ("requests_per_month", "1.5 M", 1_500_000),
        ("corpus_tokens", "5 GB", 5 * 1024**3 // 4),
        ("corpus_tokens", "200 kB", 51_200),
        ("month_budget_usd", "$2.5k", 2500),
        ("latency_p95_ms", "2.5 s", 2500),
        ("latency_p95_ms", "800 ms", 800),
        ("fact_half_life_days", "2 weeks", 14),
        ("domain", "Employment", "employment"),
        ("domain", "bank", "finance"),
        ("rule_share", "60%", 0.6),
        ("labels", "40", 40),
        ("languages", "de, en", ("de", "en")),
        ("hardware", "L40S, rtx 4090", ("L40S", "rtx 4090")),
        ("hardware", "None", "none"),
    ],
)
def test_a_number_may_be_typed_as_people_write_it(key: str, typed: str, taken: object) -> None:
    person = Person(**{key: [typed]})
    assert interview(person)[key] == taken
    assert person.complaints == []


@pytest.mark.parametrize("bad", ["5", "-1", "much", "2.5", "nan", "1e9", "[1]", "2; rm -rf /"])
def test_an_answer_that_cannot_be_is_asked_for_again(bad: str) -> None:
    person = Person(knowledge_gap=[bad, "3"])
    assert interview(person)["knowledge_gap"] == 3
    assert person.asked.count("knowledge_gap") == 2
    assert person.complaints == ["that cannot be; an answer is 0, 1, 2 or 3, or unknown"]


ENDS = {
    "0, 1, 2 or 3": (["0", "3"], ["-1", "4", "1.5"]),
    "a number from 0.001 to 1,000,000,000": (["0.001", "1,000,000,000"], ["0.0001", "1000000001"]),
    "a number above 0 and up to 1,000,000,000": (["0.01", "1000000000"], ["0", "1000000001"]),
    "a whole number from 0 to 1,000,000,000,000": (["0", "1,000,000,000,000"], ["1.5", "1" * 14]),
    "a whole number from 0 to 1,000,000,000": (["0", "1,000,000,000"], ["1.5", "1" * 11]),
    "yes or no": (["yes", "no"], ["perhaps", "2"]),
    "a time above 0 such as 800 ms or 8 s": (["800 ms", "8s", "3000"], ["0", "quick", "2 GB"]),
    "one of public, internal, confidential, regulated": (["Regulated"], ["secret", "1"]),
    "one of answer, extract, classify, write, code, converse": (["code"], ["sing"]),
    "one of none, personal, special": (["Special"], ["some"]),
    "a whole number from 1 to 100,000,000": (["1", "100M"], ["0", "1.5", "101M"]),
    "a whole number from 2 to 10,000": (["2", "10k"], ["1", "10,001"]),
    "a share from 0 to 1, or from 0% to 100%": (["0", "1", "29%"], ["1.1", "101%", "half"]),
    "codes of ISO 639-1 such as de, en": (["de", "en,zh"], ["german", "xx", "de en"]),
    "GPUs by their names in `finewright catalog list`, with commas between, or none": (
        ["none", "L4", "H100 SXM, H100 SXM"],
        ["H1000", "2"],
    ),
}


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda question: question.key)
def test_the_range_that_a_complaint_names_is_what_is_taken(question: InterviewQuestion) -> None:
    taken, refused = ENDS.get(question.range, (["employment", "other"], ["moon", "1"]))
    for answer in taken:
        person = Person(**{question.key: [answer]})
        interview(person)
        assert person.complaints == []
    for answer in refused:
        person = Person(**{question.key: [answer]})
        interview(person)
        (told,) = person.complaints
        assert told == f"that cannot be; an answer is {question.range}, or unknown"


def test_without_a_gap_in_knowledge_nobody_is_asked_about_documents() -> None:
    person = Person(knowledge_gap=["0"])
    answers = interview(person)
    assert "corpus_tokens" not in answers


def test_where_the_input_ends_the_rest_has_no_answer_and_the_spec_says_so(tmp_path: Path) -> None:
    typed = iter(["classify\n", "\n", ""])
    answers = interview(lambda question, complaint: next(typed))
    assert answers == {"task": "classify", "knowledge_gap": "unknown"}
    mark = "# The input ended here"
    assert mark in spec_text(tmp_path / "a.yaml", answers)
    assert mark not in spec_text(tmp_path / "a.yaml", interview(Person()))


@pytest.mark.parametrize(
    ("task", "keys"),
    [("classify", {"labels", "rule_share"}), ("extract", {"rule_share"}), ("write", set())],
)
def test_what_the_ranking_of_a_kind_of_work_rests_on_is_asked(task: str, keys: set[str]) -> None:
    person = Person(task=[task])
    interview(person)
    every = {"languages", "personal_data", "talks_to_people", "tokens_in", "tokens_out", "hardware"}
    assert every <= {*person.asked}
    assert {"labels", "rule_share"} & {*person.asked} == keys


@pytest.mark.parametrize("stem", ["on", "---", "ÄÖ", "1e3", "a" * 99, "null"])
def test_any_file_name_gives_a_name_that_a_spec_may_have(stem: str, tmp_path: Path) -> None:
    path = tmp_path / f"{stem}.yaml"
    text = spec_text(path, {})
    name = yaml.safe_load(text)["name"]
    assert isinstance(name, str)
    assert 1 <= len(name) <= 63
