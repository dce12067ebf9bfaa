"""What is concluded of rankings: by the p-value of recall@1, in the words of the table."""

import pytest

from finewright.report.show import text_of
from finewright.schema.evaluate import Difference
from finewright_rag.schema.evaluate_report import RagEvaluateReport
from report import made

SYSTEMS = ("lexical", "dense", "equal", "tuned")


def difference(against: str, value: float, p: float, metric: str = "recall@1") -> Difference:
    found = made.difference("tuned", against, value, room=0.01, metric=metric)
    return found.model_copy(update={"p_value": p})


def report(*differences: Difference, n: int = 100) -> RagEvaluateReport:
    return RagEvaluateReport(
        index="index.sqlite", questions="q.jsonl", n=n, fewest=30, confidence=0.95, query_ms=1.0,
        weights={name: {"lexical": 1.0} for name in SYSTEMS}, tuned_on="what the index remembers",
        scores=tuple(made.score(name, 0.5, "recall@1", low=0.4, high=0.6, n=n) for name in SYSTEMS),
        differences=differences,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("differences", "verdict"),
    [
        (
            [difference("lexical", 0.1, 0.04), difference("dense", 0.2, 0.001)],
            "tuned is better than words and than vectors alone, as far as 100 questions can tell",
        ),
        (
            # the interval excludes 0, and p decides
            [difference("lexical", -0.05, 0.06), difference("dense", 0.05, 0.06)],
            "tuned is neither better nor worse than words or than vectors alone, "
            "as far as 100 questions can tell",
        ),
        (
            [difference("lexical", -0.05, 0.01), difference("dense", -0.2, 0.001)],
            "use vectors alone for questions like these",
        ),
        (
            [difference("equal", -0.05, 0.001), difference("lexical", -0.05, 0.001, "mrr")],
            "tuned is neither better nor worse than words or than vectors alone, "
            "as far as 100 questions can tell",
        ),
    ],
)
def test_the_p_value_of_recall_at_1_decides(differences: list[Difference], verdict: str) -> None:
    assert text_of(report(*differences)).startswith(f"q.jsonl: verdict by recall@1: {verdict}\n")


def test_below_the_fewest_questions_no_p_value_is_enough() -> None:
    few = report(difference("lexical", -0.9, 1e-6), n=29)
    assert few.passed
    assert not report(difference("lexical", -0.9, 1e-6), n=30).passed
    assert ": none, 29 questions are too few to tell anything; 30 are needed" in text_of(few)
