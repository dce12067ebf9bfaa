"""The score card, to the character."""

import re

from finewright.report.blocks import Page
from finewright.report.of_evaluate import headlines, score_sections
from finewright.report.text import as_text
from finewright.schema.evaluate import (
    Difference,
    EvaluateReport,
    Score,
    ScoredRows,
    StrayAnswers,
)


def score_card(report: EvaluateReport) -> str:
    return as_text(Page("scores", "", sections=score_sections(report)))


def score(system: str, value: float, low: float, high: float, **other: object) -> Score:
    fields = {"data": "mail", "metric": "exact_match", "n": 50} | other
    return Score(system=system, value=value, low=low, high=high, **fields)


def difference(
    value: float, low: float, high: float, p_value: float, **other: object
) -> Difference:
    fields = {"data": "mail", "metric": "exact_match", "n": 50} | other
    return Difference(
        system="tuned", against="base", value=value, low=low, high=high, p_value=p_value, **fields
    )


REPORT = EvaluateReport(
    confidence=0.95,
    scores=(
        score("base", 0.3, 0.191, 0.4375),
        score("base", 12.345, 10.0, 15.25, metric="perplexity", n=48),
        score("tuned", 0.72, 0.5833, 0.8253),
        score("tuned", 4.5, 4.0, 5.0, metric="perplexity", n=48),
    ),
    differences=(
        difference(0.42, 0.28, 0.56, 0.00001),
        difference(-7.85, -10.5, -5.0, 0.0123, metric="perplexity", n=48),
    ),
)


def test_the_score_card_shows_values_intervals_and_paired_changes() -> None:
    assert score_card(REPORT) == (
        "mail: n = 50 rows, 95 % intervals in brackets\n"
        "metric                              base             tuned\n"
        "exact_match               30.0 % (19-44)    72.0 % (58-83)\n"
        "perplexity (n = 48)  12.35 (10.00-15.25)  4.50 (4.00-5.00)\n\n"
        "metric               compared                              change        p\n"
        "exact_match          tuned vs base  +42.0 points (+28.0 to +56.0)  < 0.001\n"
        "perplexity (n = 48)  tuned vs base        -7.85 (-10.50 to -5.00)    0.012\n\n"
        "p: exact McNemar test for scores of 0 or 1, sign-flip permutation test for others;"
        " where few rows differ it cannot be small, whatever the interval says; of scores between 0 and 1 the"
        " interval is the more cautious, and may hold 0 where p is small"
    )


def test_one_system_alone_has_no_column_of_changes() -> None:
    card = score_card(EvaluateReport(confidence=0.9, scores=(score("base", 1.0, 0.93, 1.0),)))
    assert card == (
        "mail: n = 50 rows, 90 % intervals in brackets\n"
        "metric                   base\n"
        "exact_match  100.0 % (93-100)"
    )


def test_each_data_set_has_its_own_card() -> None:
    report = EvaluateReport(
        confidence=0.95,
        scores=(
            score("base", 0.5, 0.4, 0.6),
            score("base", 0.5, 0.1, 0.9, data="chat", n=1),
            score("tuned", 0.5, 0.1, 0.9, data="chat", metric="token_f1", n=1),
        ),
    )
    mail, chat = score_card(report).split("\n\n")
    assert mail.startswith("mail: n = 50 rows, 95 %")
    assert chat.splitlines()[0] == "chat: n = 1 row, 95 % intervals in brackets"
    assert chat.splitlines()[2].split() == ["exact_match", "50.0", "%", "(10-90)"]


def test_a_report_without_scores_is_an_empty_card() -> None:
    assert score_card(EvaluateReport(confidence=0.95, scores=())) == ""


LABELS = EvaluateReport(
    confidence=0.95,
    scores=tuple(
        score(system, value, value - 0.1, value + 0.1)
        for system, value in {"base": 0.0, "base + labels": 0.4, "tuned": 0.7}.items()
    ),
    differences=(
        difference(0.7, 0.6, 0.8, 0.0001),
        difference(0.3, 0.2, 0.4, 0.0002).model_copy(update={"against": "base + labels"}),
    ),
    strays=(
        StrayAnswers(system="base", data="mail", count=50, n=50, low=0.93, high=1),
        StrayAnswers(system="tuned", data="mail", count=3, n=50, low=0.02, high=0.16),
    ),
)


def test_the_headline_is_against_the_better_base_and_answers_without_a_label_are_a_row() -> None:
    lines = [line.split("  ") for line in score_card(LABELS).splitlines()[1:7]]
    assert [[cell.strip() for cell in line if cell] for line in lines] == [
        ["metric", "base", "base + labels", "tuned"],
        ["exact_match", "0.0 % (-10-10)", "40.0 % (30-50)", "70.0 % (60-80)"],
        ["answers that are no label", "50 of 50 (93-100 %)", "3 of 50 (2-16 %)"],
        [],
        ["metric", "compared", "change", "p"],
        ["exact_match", "tuned vs base + labels", "+30.0 points (+20.0 to +40.0)", "< 0.001"],
    ]


def test_each_metric_is_compared_with_the_untuned_system_that_is_best_by_it() -> None:
    by_metric = {"valid_json": (0.1, 0.5, 1.0), "json_f1": (0.0, 0.4, 0.2)}
    systems = ("base", "base + examples", "base + schema")
    scores = [
        score(system, value, 0, 1, metric=metric)
        for metric, values in by_metric.items()
        for system, value in zip((*systems, "tuned"), (*values, 0.9), strict=True)
    ]
    differences = [
        difference(0.1, 0, 0.2, 0.01, metric=metric).model_copy(update={"against": against})
        for metric in by_metric
        for against in (*systems, "bag of words")
    ]
    scores += [score("bag of words", 0.0, 0, 1, metric=metric) for metric in by_metric]
    report = EvaluateReport(confidence=0.95, scores=tuple(scores), differences=tuple(differences))
    assert report.headline_pairs("mail", "valid_json") == (
        ("tuned", "base + schema"),
        ("tuned", "bag of words"),
    )
    assert report.headline_pairs("mail", "json_f1")[0] == ("tuned", "base + examples")
    assert "compared with the best of the untuned systems by each metric" in score_card(report)


def test_a_headline_says_what_was_trained_and_the_best_that_it_is_compared_with() -> None:
    assert list(headlines(REPORT)) == [
        "mail, exact_match: tuned 72.0 % (58-83), base 30.0 % (19-44)"
    ]
    alone = REPORT.model_copy(update={"scores": REPORT.scores[2:], "differences": ()})
    assert list(headlines(alone)) == ["mail, exact_match: tuned 72.0 % (58-83)"]


def test_parts_are_told_apart_where_some_rows_repeat_training_rows() -> None:
    known = ScoredRows(
        data="mail", kind="repeated", rows=40, scores=(score("tuned", 1, 0.9, 1, n=40),)
    )
    new = ScoredRows(
        data="mail", kind="new", rows=10, scores=(score("tuned", 0.5, 0.2, 0.8, n=10),)
    )
    text = score_card(REPORT.model_copy(update={"parts": (known, new)}))
    assert re.search(r"exact_match +nearly like one +40 +100.0 % \(90-100\)", text)
    assert re.search(r"exact_match +unlike any +10 +50.0 % \(20-80\)", text)
    none = ScoredRows(data="mail", kind="new", rows=0)
    whole = known.model_copy(update={"rows": 50})
    text = score_card(REPORT.model_copy(update={"parts": (whole, none)}))
    assert (
        "all 50 rows are nearly like a training row: reworded, or with other numbers and names"
        in text
    )
