"""Scorers against hand-computed values, rouge_score, scikit-learn and json."""

import json
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rouge_score.rouge_scorer import RougeScorer
from sklearn.metrics import f1_score

from finewright.conformance.reward import RewardConformance
from finewright.conformance.scorer import ScorerConformance
from finewright.evaluate import scorers
from finewright.evaluate.scorers import (
    JsonField,
    Regex,
    exact_match,
    json_f1,
    json_schema,
    label,
    label_accuracy,
    macro_f1,
    numeric,
    perplexity,
    rouge_l,
    token_f1,
    valid_json,
)

ROW_SCORERS = [
    exact_match,
    valid_json,
    json_f1,
    JsonField("a.b"),
    json_schema,
    Regex(r".*\d"),
    token_f1,
    rouge_l,
    numeric,
    label_accuracy,
]
WORDS = st.lists(st.sampled_from(["the", "cat", "Sat", "on", "7", "mat.", "é"]), max_size=12)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.text("ab", max_size=2),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text("xy", max_size=2), inner, max_size=3)
    ),
    max_leaves=8,
)


class TestExactMatch(ScorerConformance):
    name = "exact_match"
    right = [("Paris", " Paris\n"), ('{"a": 1}', '{"a":1}')]
    wrong = [("Rome", "Paris"), ("", "Paris")]


class TestValidJson(ScorerConformance):
    name = "valid_json"
    right = [('{"a": 1}', ""), ("[]", "")]
    wrong = [("{", ""), ("", "{}")]


class TestJsonF1(ScorerConformance):
    name = "json_f1"
    right = [('{"a": {"b": 1}}', '{"a": {"b": 1}}')]
    wrong = [("Paris", '{"a": 1}'), ('{"a": 2}', '{"a": 1}')]
    between = [('{"a": 1, "b": 3}', '{"a": 1, "b": 2}')]


class TestJsonField(ScorerConformance):
    name = "json_field:a.b"
    right = [('{"a": {"b": 1}}', '{"a": {"b": 1}}')]
    wrong = [('{"a": {"b": 2}}', '{"a": {"b": 1}}'), ("no JSON", '{"a": {"b": 1}}')]


class TestRegex(ScorerConformance):
    name = "regex:.*[0-9]"
    right = [("call 911", "")]
    wrong = [("call nobody", "")]


class TestTokenF1(ScorerConformance):
    name = "token_f1"
    right = [("The cat.", "cat")]
    wrong = [("dog", "cat")]
    between = [("cat and dog", "cat")]


class TestRougeL(ScorerConformance):
    name = "rouge_l"
    right = [("the cat sat", "the cat sat")]
    wrong = [("dog", "cat")]
    between = [("the dog sat", "the cat sat")]


class TestNumeric(ScorerConformance):
    name = "numeric"
    right = [("so it is 1,000.", "1000")]
    wrong = [("it is 7", "8"), ("none", "8")]


class TestMentions(ScorerConformance):
    name = "mentions"
    right = [("It is Paris.", "Paris")]
    wrong = [("It is Rome.", "Paris")]


class TestLabelAccuracy(ScorerConformance):
    name = "label_accuracy"
    right = [("Refund.", "refund")]
    wrong = [("fraud", "refund")]


class TestExactReward(RewardConformance):
    name = "exact"
    worth = [("Paris", "Paris", 1), ("Rome", "Paris", 0)]


class TestNumericReward(RewardConformance):
    name = "numeric"
    worth = [("it is 8", "8", 1), ("it is 7", "8", 0)]


class TestJsonF1Reward(RewardConformance):
    name = "json_f1"
    worth = [('{"a": 1}', '{"a": 1}', 1), ("no", '{"a": 1}', 0)]


class TestMentionsReward(RewardConformance):
    name = "mentions"
    worth = [("It is Paris.", "Paris", 1), ("It is Rome.", "Paris", 0)]


@given(st.text(max_size=40), st.text(max_size=40))
@settings(max_examples=60, deadline=None)
def test_every_score_of_any_text_is_a_share(answer: str, expected: str) -> None:
    scores = [scorer(answer, expected) for scorer in ROW_SCORERS]
    assert all(0.0 <= score <= 1.0 for score in scores)


@pytest.mark.parametrize(
    ("answer", "expected", "score"),
    [
        (" a  b\n", "a b", 1.0),
        ("a b", "A b", 0.0),
        ('{"b": 1.0, "a": [1, 2]}', '{"a":[1,2],"b":1}', 1.0),
        ("[1, 2]", "[2, 1]", 0.0),
        ('{"a": true}', '{"a": 1}', 0.0),
        ('{"a": "1"}', '{"a": 1}', 0.0),
        ('{"a": null}', "{}", 0.0),
        ("{}", "[]", 0.0),
        ('{"a": 9007199254740993}', '{"a": 9007199254740992}', 0.0),
        ("1.0", "1", 0.0),
        ("", "", 1.0),
    ],
)
def test_exact_match(answer: str, expected: str, score: float) -> None:
    assert exact_match(answer, expected) == score


@given(JSON.filter(lambda value: isinstance(value, dict | list)))
@settings(max_examples=60, deadline=None)
def test_exact_match_and_json_f1_ignore_how_json_is_laid_out(value: object) -> None:
    plain, pretty = json.dumps(value), json.dumps(value, indent=3, sort_keys=True)
    assert exact_match(plain, pretty) == 1.0
    assert json_f1(plain, pretty) == 1.0


@pytest.mark.parametrize(
    ("answer", "score"),
    [
        ('{"a": [1, 2.5e3, null, true, "x"]}', 1.0),
        (" \n[]\t", 1.0),
        ('"text"', 1.0),
        ("-0", 1.0),
        ("1e400", 1.0),
        ("9" * 4300, 1.0),
        ("9" * 4301, 0.0),
        ("[" * 100 + "]" * 100, 1.0),
        ("[" * 101 + "1" + "]" * 101, 0.0),
        ("", 0.0),
        ("NaN", 0.0),
        ("[Infinity]", 0.0),
        ("-Infinity", 0.0),
        ('{"a": 1, "a": 1}', 0.0),
        ('```json\n{"a": 1}\n```', 0.0),
        ('Here it is: {"a": 1}', 0.0),
        ("{} {}", 0.0),
        ("{'a': 1}", 0.0),
        ("[1,]", 0.0),
        ("01", 0.0),
        ('"a\nb"', 0.0),
    ],
)
def test_valid_json_is_rfc_8259_over_the_whole_answer(answer: str, score: float) -> None:
    assert valid_json(answer, "ignored") == score


@pytest.mark.parametrize(
    ("answer", "expected", "score"),
    [
        ('{"a": 1, "b": 2}', '{"a": 1, "b": 3}', 0.5),
        ('{"a": 1}', '{"a": 1, "b": 2, "c": 3}', 2 * 1 / 4),
        ('{"a": 1.0}', '{"a": 1}', 1.0),
        ('{"a": 1}', '{"a": true}', 0.0),
        ('{"a": "1"}', '{"a": 1}', 0.0),
        ('{"a": ["x", "y"]}', '{"a": ["y", "x"]}', 1.0),
        ('{"a": ["x", "x"]}', '{"a": ["x"]}', 2 * 1 / 3),
        ('{"a": ["x"]}', '{"a": "x"}', 0.0),
        ('{"a": {"b": 1}}', '{"a.b": 1}', 0.0),
        ('{"a": {}}', '{"a": []}', 0.0),
        ("{}", "{}", 1.0),
        ("[]", "[]", 1.0),
        ("{}", '{"a": 1}', 0.0),
        ("not json", '{"a": 1}', 0.0),
        ("{}", "not json", 0.0),
    ],
)
def test_json_f1(answer: str, expected: str, score: float) -> None:
    assert json_f1(answer, expected) == pytest.approx(score)


@pytest.mark.parametrize(
    ("key", "answer", "score"),
    [
        ("intent", '{"intent": " Card  LOST "}', 1.0),
        ("intent", '{"intent": "card stolen"}', 0.0),
        ("intent", "card lost", 0.0),
        ("intent", "{}", 0.0),
        ("user.age", '{"user": {"age": 41.0}}', 1.0),
        ("user.age", '{"user": {"age": "41"}}', 0.0),
        ("items.1.name", '{"items": [0, {"name": "b"}]}', 1.0),
        ("items.01.name", '{"items": [0, {"name": "b"}]}', 0.0),
        ("gone", '{"gone": null}', 1.0),
        ("gone", "{}", 0.0),
        ("mispelt", '{"intent": "card lost"}', 0.0),
        ("intent.deeper", '{"intent": "card lost"}', 0.0),
    ],
)
def test_json_field_compares_the_value_at_a_dotted_key(key: str, answer: str, score: float) -> None:
    expected = (
        '{"intent": "card lost", "user": {"age": 41}, "items": [1, {"name": "B"}], "gone": null}'
    )
    assert JsonField(key)(answer, expected) == score


@pytest.mark.parametrize(
    ("answer", "expected", "score"),
    [
        ("The Eiffel Tower!", "eiffel tower", 1.0),
        ("in Paris, France", "Paris", 2 * (1 / 3) * 1 / (1 / 3 + 1)),
        ("paris paris", "paris", 2 / 3),
        ("London", "Paris", 0.0),
        ("", "", 1.0),
        ("the", "a.", 1.0),
        ("", "Paris", 0.0),
    ],
)
def test_token_f1_is_squads(answer: str, expected: str, score: float) -> None:
    assert token_f1(answer, expected) == pytest.approx(score)


@given(WORDS.map(" ".join), WORDS.map(" ".join))
@settings(max_examples=200, deadline=None)
def test_rouge_l_agrees_with_rouge_score_on_words(answer: str, expected: str) -> None:
    reference = RougeScorer(["rougeL"], use_stemmer=False).score(expected, answer)
    assert rouge_l(answer, expected) == pytest.approx(reference["rougeL"].fmeasure)


@given(st.text("abC1 -_.éİ", max_size=60), st.text("abC1 -_.éİ", max_size=60))
@settings(max_examples=100, deadline=None)
def test_rouge_l_agrees_with_rouge_score_on_odd_text(answer: str, expected: str) -> None:
    reference = RougeScorer(["rougeL"], use_stemmer=False).score(expected, answer)
    assert rouge_l(answer, expected) == pytest.approx(reference["rougeL"].fmeasure)


@pytest.mark.parametrize(
    ("answer", "expected", "score"),
    [
        ("so 3 + 4 = 7.", "7", 1.0),
        ("7 apples, then 8", "7", 0.0),
        ("$1,234.50", "1234.5", 1.0),
        ("1,234,567", "1234567", 1.0),
        ("1,2345", "2345", 1.0),
        ("1, 2, 3", "3", 1.0),
        ("6.02e23", "602,000,000,000,000,000,000,000", 1.0),
        ("1E-3", ".001", 1.0),
        ("version 1.2.3", "3", 1.0),
        ("-5", "5", 0.0),
        ("10-5", "5", 1.0),
        ("\u22125", "-5", 1.0),
        ("50 %", "50%", 1.0),
        ("50%", "0.5", 1.0),
        ("50", "50 %", 1.0),
        ("50\\%", "0.5", 1.0),
        ("0.5%", "50%", 0.0),
        ("0.5", "50", 0.0),
        ("1000000.5", "1000000", 1.0),
        ("1000002", "1000000", 0.0),
        ("0", "0.0", 1.0),
        ("1e-9", "0", 0.0),
        ("1e999", "1e998", 0.0),
        ("none", "7", 0.0),
        ("none", "none", 0.0),
    ],
)
def test_numeric_compares_the_last_numbers(answer: str, expected: str, score: float) -> None:
    assert numeric(answer, expected) == score


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Positive.", "positive"),
        ("\n **Positive**\nbecause the text says so", "positive"),
        ("\u201cPOSITIVE\u201d!", "positive"),
        ("card  lost", "card lost"),
        ("STRASSE", "strasse"),
        ("Straße", "strasse"),
        ("C++.", "c++"),
        ("C#", "c#"),
        ("-1", "-1"),
        ("?", "?"),
        ("", ""),
    ],
)
def test_a_label_is_the_bare_first_line(text: str, name: str) -> None:
    assert label(text) == name


def test_label_accuracy_forgives_dress_but_not_another_label() -> None:
    assert label_accuracy('"Spam".', "spam") == 1.0
    assert label_accuracy("spam and ham", "spam") == 0.0
    assert label_accuracy("c#", "c++") == 0.0


def test_macro_f1_by_hand() -> None:
    expected = ["a", "a", "a", "b"]
    answers = ["a", "A.", "b", "b"]
    f1_a, f1_b = 2 * 2 / (2 + 3), 2 * 1 / (2 + 1)
    assert macro_f1(answers, expected) == pytest.approx((f1_a + f1_b) / 2)


def test_an_answer_that_is_no_label_is_a_miss_and_no_label_of_its_own() -> None:
    assert macro_f1(["a", "banana"], ["a", "a"]) == pytest.approx(2 / 3)


@given(
    st.lists(st.tuples(st.sampled_from("abcdz"), st.sampled_from("abcd")), min_size=1, max_size=25)
)
@settings(max_examples=60, deadline=None)
def test_macro_f1_agrees_with_scikit_learn(pairs: list[tuple[str, str]]) -> None:
    answers, expected = [a for a, _ in pairs], [e for _, e in pairs]
    reference = f1_score(
        expected, answers, labels=sorted(set(expected)), average="macro", zero_division=0
    )
    assert macro_f1(answers, expected) == pytest.approx(reference)


def test_perplexity_weighs_tokens_and_not_rows() -> None:
    assert perplexity([8 * math.log(2), 2 * math.log(4)], [8, 2]) == pytest.approx(2 ** (12 / 10))


def test_a_diverged_models_perplexity_is_huge_and_finite() -> None:
    assert 1e300 < perplexity([1e9], [1]) < math.inf


def test_numbers_of_parsed_json_keep_every_digit() -> None:
    parsed = scorers.parse_json("0.1234567890123456789")
    assert parsed is not None
    assert str(parsed.value) == "0.1234567890123456789"
