"""Scores and differences of whole answer sets."""

import math

import pytest
from sklearn.metrics import f1_score

from finewright.errors import DataError, StageError, UnknownPlugin
from finewright.evaluate.answered import AnsweredRow
from finewright.evaluate.score import (
    ScoredSet,
    ScoreOptions,
    check_metrics,
    compare,
    score_answers,
)
from finewright.judge.statistics import mcnemar, wilson
from finewright.plugins import BUILTIN

OPTIONS = ScoreOptions(confidence=0.95, resamples=500, seed=0)
EXPECTED = ["spam", "ham", "spam", "eggs"] * 5


def scored(answers: list[str], *metrics: str, system: str = "tuned") -> ScoredSet:
    rows = [
        AnsweredRow(row=i, expected=e, answer=a)
        for i, (e, a) in enumerate(zip(EXPECTED, answers, strict=False), start=1)
    ]
    return score_answers(system, "mail", metrics, rows, OPTIONS)


def with_losses(*losses: tuple[float | None, int | None], system: str = "tuned") -> ScoredSet:
    rows = [
        AnsweredRow(row=i, expected="x", answer="", nll=nll, num_tokens=num_tokens)
        for i, (nll, num_tokens) in enumerate(losses, start=1)
    ]
    return score_answers(system, "mail", ["perplexity"], rows, OPTIONS)


def test_a_score_is_the_mean_of_its_rows_with_wilsons_interval() -> None:
    found = scored(["spam"] * 20, "exact_match")
    (score,) = found.scores
    assert (score.system, score.data, score.metric) == ("tuned", "mail", "exact_match")
    assert (score.value, score.n) == (0.5, 20)
    assert (score.low, score.high) == wilson(10, 20, confidence=0.95)
    assert found.per_row[:2] == [{"exact_match": 1.0}, {"exact_match": 0.0}]


def test_scores_come_in_the_order_asked_for() -> None:
    found = scored(EXPECTED, "token_f1", "macro_f1", "exact_match")
    assert [score.metric for score in found.scores] == ["token_f1", "macro_f1", "exact_match"]
    assert [score.value for score in found.scores] == [1.0, 1.0, 1.0]


def test_a_metric_with_an_argument_is_reported_under_its_full_name() -> None:
    row = AnsweredRow(row=1, expected='{"intent": "Pay"}', answer='{"intent": "pay", "x": 1}')
    found = score_answers("base", "d", ["json_field:intent"], [row], OPTIONS)
    assert found.scores[0].metric == "json_field:intent"
    assert found.per_row == [{"json_field:intent": 1.0}]


def test_macro_f1_is_of_the_set_and_of_no_row() -> None:
    answers = ["spam", "spam", "ham", "toast"] * 5
    found = scored(answers, "macro_f1")
    reference = f1_score(
        EXPECTED, answers, labels=["eggs", "ham", "spam"], average="macro", zero_division=0
    )
    assert found.scores[0].value == pytest.approx(reference)
    assert found.scores[0].low < reference < found.scores[0].high
    assert found.per_row[0] == {}


def test_perplexity_counts_tokens_and_leaves_out_rows_without_any() -> None:
    found = with_losses((math.log(16), 2), (0.0, 0), (math.log(2), 1))
    (score,) = found.scores
    assert score.value == pytest.approx(32 ** (1 / 3))
    assert score.n == 2
    assert found.per_row[0] == pytest.approx({"perplexity": 4.0})
    assert found.per_row[1] == {}


@pytest.mark.parametrize("loss", [(None, 3), (1.0, None), (math.nan, 3), (math.inf, 3)])
def test_perplexity_without_a_finite_loss_is_an_error_that_names_the_row(
    loss: tuple[float | None, int | None],
) -> None:
    with pytest.raises(StageError, match="row 2 has no finite loss"):
        with_losses((1.0, 2), loss)


def test_perplexity_of_no_tokens_is_an_error() -> None:
    with pytest.raises(DataError, match="no row has a token"):
        with_losses((0.0, 0))


def test_no_answers_is_an_error_that_names_the_data() -> None:
    with pytest.raises(DataError, match="mail: no rows"):
        score_answers("base", "mail", ["exact_match"], [], OPTIONS)


def test_every_built_in_metric_passes_the_check() -> None:
    arguments = {"json_field": "json_field:a.b", "regex": "regex:a+", "within": "within:1"}
    check_metrics([arguments.get(name, name) for name in BUILTIN["scorer"]])


@pytest.mark.parametrize(
    ("name", "message", "hint"),
    [
        ("exactmatch", "no scorer named 'exactmatch'", "did you mean 'exact_match'?"),
        ("macro_f2", "no scorer named 'macro_f2'", "did you mean 'macro_f1'?"),
        ("json_feild:intent", "no scorer named 'json_feild'", "did you mean 'json_field'?"),
        ("json_field", "json_field needs an argument", "write json_field:NAME"),
        ("json_field:", "json_field needs an argument", "write json_field:NAME"),
        ("exact_match:x", "exact_match takes no argument", "write exact_match"),
        ("macro_f1:x", "macro_f1 takes no argument", "write macro_f1"),
    ],
)
def test_a_wrong_metric_name_is_refused_with_the_mend(name: str, message: str, hint: str) -> None:
    with pytest.raises(UnknownPlugin, match=message) as e:
        check_metrics(["token_f1", name])
    assert e.value.hint == hint


def test_a_wrong_metric_name_is_refused_before_the_empty_data_is_looked_at() -> None:
    with pytest.raises(UnknownPlugin):
        score_answers("base", "mail", ["exact_match", "nope"], [], OPTIONS)


def test_a_plugin_that_leaves_zero_to_one_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(BUILTIN["scorer"], "hundredfold", f"{__name__}:hundredfold")
    with pytest.raises(StageError, match=r"scorer hundredfold gave 100.0 for row 1"):
        scored(["spam"], "hundredfold")


def hundredfold(answer: str, expected: str) -> float:
    return 100.0


def test_a_comparison_is_ours_minus_theirs_with_mcnemars_p_value() -> None:
    tuned = scored(EXPECTED, "exact_match")
    base = scored(["spam"] * 20, "exact_match", system="base")
    (found,) = compare(tuned, base, OPTIONS)
    assert (found.system, found.against) == ("tuned", "base")
    assert (found.value, found.n) == (0.5, 20)
    assert found.low < 0.5 < found.high
    assert found.p_value == pytest.approx(mcnemar(10, 0))


def test_a_comparison_of_macro_f1_sees_a_real_gain() -> None:
    tuned = scored(EXPECTED, "macro_f1")
    base = scored(["spam"] * 20, "macro_f1", system="base")
    (found,) = compare(tuned, base, OPTIONS)
    assert found.value == pytest.approx(1 - (2 * 10 / 30) / 3)
    assert found.low > 0
    assert found.p_value < 0.01


def test_a_comparison_of_perplexity_is_negative_where_we_got_better() -> None:
    tuned = with_losses(*[(1.0 + i / 50, 2) for i in range(20)])
    base = with_losses(*[(2.0 + i / 30, 2) for i in range(20)], system="base")
    (found,) = compare(tuned, base, OPTIONS)
    assert found.value == pytest.approx(tuned.scores[0].value - base.scores[0].value)
    assert found.high < 0
    assert found.p_value < 0.01


def test_a_system_compared_with_itself_differs_by_nothing() -> None:
    same = scored(["spam"] * 20, "exact_match", "macro_f1", "token_f1")
    differences = compare(same, same, OPTIONS)
    assert [(d.value, d.p_value) for d in differences] == [(0.0, 1.0)] * 3


def test_other_rows_cannot_be_compared() -> None:
    with pytest.raises(ValueError, match="the same rows"):
        compare(scored(["spam"] * 20, "exact_match"), scored(["spam"], "exact_match"), OPTIONS)


def test_other_metrics_cannot_be_compared() -> None:
    with pytest.raises(ValueError, match="the same metrics"):
        compare(scored(["spam"], "exact_match"), scored(["spam"], "token_f1"), OPTIONS)


def test_the_same_options_give_the_same_numbers() -> None:
    answers = ["spam ham", "ham", "spam", "eggs ham"] * 5
    metrics = ("token_f1", "macro_f1")
    assert scored(answers, *metrics).scores == scored(answers, *metrics).scores


def test_a_rating_that_is_no_number_is_no_score() -> None:
    rows = [AnsweredRow(i, "a", "a", preferred=p) for i, p in enumerate([1.0, float("nan")])]
    with pytest.raises(StageError, match="row 1 has no finite rating"):
        score_answers("tuned", "d", ["preference_accuracy"], rows, OPTIONS)
