"""A measured decision as text and as a page: every figure in a table, every text harmless."""

import pytest

from finewright.report.show import html_of, text_of
from finewright.schema.cost import Range
from finewright.schema.evaluate import Difference, Score
from finewright_advice.schema.measure_report import (
    Abstention,
    ArmReport,
    Changed,
    CurvePoint,
    Decontaminated,
    FactProbe,
    Forgetting,
    GainCurve,
    Latency,
    MeasureReport,
    PairTest,
    Power,
    Recommendation,
    RequestCost,
    RequestTokens,
    RowShare,
)
from report import made
from report.pages import check_page, rows_of


def share(value: float) -> RowShare:
    return RowShare(value=value, low=max(0, value - 0.1), high=min(1, value + 0.1), n=100)


def difference(value: float) -> Difference:
    return made.difference("rag", "0-shot", value, room=0.1, metric="solved")


def score(metric: str, value: float) -> Score:
    return made.score("s", value, metric, low=value / 2, high=value)


def arm(name, solved: float, usd: float | None) -> ArmReport:
    return ArmReport(
        arm=name, scores=(score("numeric", solved), score("token_f1", solved)),
        solved=share(solved), p_best=solved, tokens=RequestTokens(prompt=450.4, answer=12.6),
        latency=Latency(n=9, ttft_p50=1234.4, p50=2345.6, p95=3456.7, mean=2400.0),
        cost=RequestCost(
            training_seconds=60, seconds=2.4, usd=usd,
            seconds_per_solved=2.4 / solved if solved else None,
            usd_per_solved=usd / solved if usd and solved else None,
            api_usd=Range(low=1e-5, median=2e-5, high=3e-5),
        ),
        is_cost_frontier=solved > 0, is_latency_frontier=False,
    )  # fmt: skip


def report(**others) -> MeasureReport:
    pair = PairTest(
        arm="rag", against="0-shot", difference=difference(0.6), won=60, lost=0, p_value=1e-9,
        p_holm=1e-9,
    )  # fmt: skip
    base = Forgetting(
        system="base", score=score("mentions", 0.5), perplexity=score("perplexity", 9)
    )
    fields = {
        "name": "bank", "folder": "runs/measure-bank-1", "base_model": "tiny",
        "solved_by": "numeric at least 1", "confidence": 0.95, "alpha": 0.05, "rows_train": 170,
        "rows_dev": 40, "rows_test": 100, "requests": 100_000, "pairs": (pair,), "forgetting": (base,),
        "power": Power(rows=100, difference=0.05, discordant=0.2, rows_needed=626, detectable=0.124),
        "decontaminated": Decontaminated(rows_before=235, removed={"near": 11, "overlap": 11}),
        "arms": (arm("0-shot", 0.0, 1e-5), arm("rag", 0.6, 2e-5)),
        "recommendation": Recommendation(arm="rag", kind="better", p_best=1.0, sentence="Take rag."),
    }  # fmt: skip
    return MeasureReport(**(fields | others))


PROBES = {
    "curve": GainCurve(
        arm="ft",
        points=(
            CurvePoint(share=0.5, rows=85, solved=share(0.2)),
            CurvePoint(share=1.0, rows=170, solved=share(0.3)),
        ),
        gain=difference(0.1),
        reading="not settled",
    ),
    "facts": (FactProbe(arm="rag", follows_new=share(0.7), gives_old=share(0.0), kept=share(0.8)),),
    "changed": (Changed(question="<b>fee?", old="$1", new="$2", documents=("d1",)),),
    "abstention": (Abstention(arm="rag", unanswerable=share(0.4), answerable=share(0.1)),),
}


def test_the_text_begins_with_the_sentence_and_says_what_the_rows_show() -> None:
    text = text_of(report())
    assert text.startswith("bank: Take rag.\n")
    assert "left out of training: 11 near, 11 overlap" in text
    assert "needs 626 rows where 20 % of the answers differ; these show 12 points and more" in text
    assert "Learning curve" not in text


def test_the_tables_hold_the_figures() -> None:
    found = report()
    assert rows_of(found, "Arms on held-out rows")[1] == [
        *("rag", "60.0 % (50-70)", "60.0 %", "1,234", "2,346", "3,457", "450", "13", "cost"),
    ]
    first, second = rows_of(found, "Cost and time")
    assert first == ["0-shot", "2.4", "never", "0.01", "", "60", "0.02"]
    assert second[2:5] == ["4", "0.02", "0.033"]
    assert rows_of(found, "All options") == [
        ["rag", "0-shot", "+60.0 points (+50.0 to +70.0)", "60 : 0", "< 0.001", "< 0.001"]
    ]


def test_probes_are_told_where_they_were_held() -> None:
    text = text_of(report(**PROBES))
    for said in (
        "Learning curve of ft\nnot settled",
        "after training: 1",
        "abstains",
    ):
        assert said in text


def test_the_page_has_its_pictures_and_its_texts_are_harmless() -> None:
    parsed = check_page(html_of(report(**PROBES)))
    assert parsed.tags["svg"] == 3
    assert "<b>fee?" in parsed.text
    assert "b" not in parsed.tags


@pytest.mark.parametrize("usd", [None, 2e-5])
def test_a_page_without_probes_or_prices_is_whole(usd: float | None) -> None:
    page = html_of(report(arms=(arm("0-shot", 0.2, usd), arm("rag", 0.6, usd))))
    assert ("USD a thousand requests" in page) == (usd is not None)
    assert page.count("<svg") == 2
    assert 'id="curve"' not in page
